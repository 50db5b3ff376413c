using Astra.Tools.Sandboxes.Cgroups;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>What comes out of a Linux run that has ended: files, and a receipt that answers the same questions for
/// every tier.</summary>
internal static class LinuxResult
{
    private const int CpuLimitSignal = 24, FileSizeSignal = 25;

    // bubblewrap and shells report "killed by signal n" as exit code 128 + n. A program that itself exits with
    // such a code cannot be told from one that was killed.
    private const int SignalBase = 128, SignalMax = 64;

    public static SandboxResult Make(
        ICheckedSandbox sandbox, SandboxSpec spec, RunEnd end, RunCgroup? group, WritableDirectories directories)
    {
        var hit = new SortedSet<SandboxLimit>(end.LimitsHit);
        var outputs = WrittenFiles.Find(directories.Output, "/output");
        var temporaries = WrittenFiles.Find(directories.Temporary, "/tmp");
        var files = new List<OutputFile>();
        if (spec.CollectOutputFiles)
        {
            files = WrittenFiles.TakeOut(
                directories.Output, outputs.Regular, spec.Limits.ScratchBytes, spec.Limits.OutputFiles, out var wasCut);
            if (wasCut || outputs.IsCut) hit.Add(SandboxLimit.OutputFiles);
        }
        if (directories.AreBounded && (Scratch.IsFull(directories.Output) || Scratch.IsFull(directories.Temporary)))
            hit.Add(SandboxLimit.Scratch);

        var signal = end.Exit.Signal ?? SignalIn(end.Exit.Code);
        if (signal == CpuLimitSignal) hit.Add(SandboxLimit.Cpu);
        if (signal == FileSizeSignal) hit.Add(SandboxLimit.FileSize);
        hit.UnionWith(group?.LimitsHit() ?? []);

        var report = sandbox.Report([]);
        return new SandboxResult(end.Output, end.Error, files, new SandboxReceipt
        {
            Tier = report.Tier,
            TierName = report.TierName,
            ExitCode = signal is null ? end.Exit.Code : null,
            Signal = signal,
            LimitsHit = [.. hit],
            Cpu = group?.CpuUsed() is { } cpu
                ? Observed.Value(cpu)
                : Observed.Not<TimeSpan>("no cgroup accounts for processor time"),
            MemoryPeakBytes = group?.MemoryPeak() is { } peak
                ? Observed.Value(peak)
                : Observed.Not<long>("no cgroup accounts for memory"),
            FilesWritten = outputs.IsCut || temporaries.IsCut
                ? Observed.Not<IReadOnlyList<string>>("too many files, or nested too deep, to list")
                : Observed.Value<IReadOnlyList<string>>(
                    [.. outputs.Shown.Concat(temporaries.Shown).Order(StringComparer.Ordinal)]),
            FilesRead = Observed.Not<IReadOnlyList<string>>("this tier does not trace file access"),
            HostsTried = Observed.Not<IReadOnlyList<string>>("this tier has no network and does not trace attempts"),
            Duration = end.Duration,
            Enforced = report.Enforced,
            NotEnforced = [.. report.Missing.Select(m => $"{m.What}: {m.Why}")],
        });
    }

    private static int? SignalIn(int? code) =>
        code is > SignalBase and <= SignalBase + SignalMax ? code - SignalBase : null;
}

/// <summary>The two directories that a run could write to. Bounded when each is a file system of its own.</summary>
internal sealed record WritableDirectories(SafeFileHandle Output, SafeFileHandle Temporary, bool AreBounded);
