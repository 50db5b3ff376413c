namespace Astra.Tools.Sandboxes;

/// <summary>The cages of this machine.</summary>
public static class Sandboxes
{
    /// <summary>Finds the strongest cage that works here by using it, and removes what a server that died has
    /// left behind.</summary>
    public static ValueTask<SandboxReport> ProbeAsync(CancellationToken ct = default) =>
        SandboxProbe.RunAsync(null, ct);

    /// <summary>The same for one tier, where an operator demands it: none other takes its place.</summary>
    public static ValueTask<SandboxReport> ProbeAsync(SandboxTier tier, CancellationToken ct = default) =>
        SandboxProbe.RunAsync(tier, ct);

    /// <exception cref="SandboxUnavailableException">The probe found none. Tools are then refused; there is no
    /// way to run them bare.</exception>
    public static ISandbox Open(SandboxReport report) =>
        report.Tried ?? throw new SandboxUnavailableException(
            $"This machine has no sandbox, so tools are refused.\n{report.Remedies}".TrimEnd());
}
