namespace Astra.Tools.Sandboxes.Landlock;

/// <summary>What the launcher is told, through a pipe: paths are the host's, because there is no other root.</summary>
internal sealed record LandlockInstructions
{
    public required string Program { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>As NAME=VALUE.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    public required string Directory { get; init; }

    public required IReadOnlyList<string> Readable { get; init; }

    public required IReadOnlyList<string> Writable { get; init; }

    public required SandboxLimits Limits { get; init; }

    public required bool HasMemoryGroup { get; init; }

    public required byte[] Filter { get; init; }
}
