using Astra.Tools.Sandboxes.Cgroups;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>The receipt of a Linux run, the same questions for every tier.</summary>
internal static class LinuxReceipt
{
    private const int CpuLimitSignal = 24, FileSizeSignal = 25;

    // bubblewrap and shells report "killed by signal n" as exit code 128 + n. A program that itself exits with
    // such a code cannot be told from one that was killed.
    private const int SignalBase = 128, SignalMax = 64;

    public static SandboxReceipt For(
        ISandbox sandbox,
        string tierName,
        RunEnd end,
        SortedSet<SandboxLimit> hit,
        RunCgroup? group,
        Observed<IReadOnlyList<string>> written)
    {
        var signal = end.Exit.Signal
                     ?? (end.Exit.Code is > SignalBase and <= SignalBase + SignalMax ? end.Exit.Code - SignalBase : null);
        if (signal == CpuLimitSignal) hit.Add(SandboxLimit.Cpu);
        if (signal == FileSizeSignal) hit.Add(SandboxLimit.FileSize);
        hit.UnionWith(group?.LimitsHit() ?? []);
        return new SandboxReceipt
        {
            Tier = sandbox.Tier,
            TierName = tierName,
            ExitCode = signal is null ? end.Exit.Code : null,
            Signal = signal,
            LimitsHit = [.. hit],
            Cpu = group?.CpuUsed() is { } cpu
                ? Observed.Value(cpu)
                : Observed.Not<TimeSpan>("no cgroup accounts for processor time"),
            MemoryPeakBytes = group?.MemoryPeak() is { } peak
                ? Observed.Value(peak)
                : Observed.Not<long>("no cgroup accounts for memory"),
            FilesWritten = written,
            FilesRead = Observed.Not<IReadOnlyList<string>>("this tier does not trace file access"),
            HostsTried = Observed.Not<IReadOnlyList<string>>("this tier has no network and does not trace attempts"),
            Duration = end.Duration,
            Enforced = [],
            NotEnforced = [],
        };
    }
}
