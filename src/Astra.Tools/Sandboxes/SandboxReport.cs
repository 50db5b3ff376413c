namespace Astra.Tools.Sandboxes;

/// <summary>What this machine enforces, found by trying. The input of <c>doctor</c> and of
/// <see cref="Sandboxes.Open"/>.</summary>
public sealed record SandboxReport
{
    public required SandboxTier Tier { get; init; }

    public required string TierName { get; init; }

    public required IReadOnlyList<string> Enforced { get; init; }

    public required IReadOnlyList<MissingProtection> Missing { get; init; }

    /// <summary>The sandbox that was tried. Null without one, and in a report that no probe made.</summary>
    internal ISandbox? Tried { get; init; }

    /// <summary>One line for each missing protection, with the command.</summary>
    public string Remedies => string.Join('\n', Missing.Select(m => $"{m.What}: {m.Why}. Remedy: {m.Remedy}"));
}

/// <summary>Something this machine does not enforce, the reason, and the command that changes it.</summary>
public sealed record MissingProtection(string What, string Why, string Remedy);
