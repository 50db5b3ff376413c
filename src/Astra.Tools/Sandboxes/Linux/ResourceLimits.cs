using System.Runtime.InteropServices;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// Limits that the kernel keeps for each process and that children inherit. They stand behind the cgroup
/// where there is one, and are what is left where there is none.
/// </summary>
/// <remarks>The address space is deliberately not limited. Managed runtimes reserve hundreds of gigabytes
/// that they never touch and would not start. RLIMIT_DATA counts private writable memory instead, which is
/// close to what a program really uses.</remarks>
internal static partial class ResourceLimits
{
    public const int OpenFiles = 7;

    private const int CpuSeconds = 0, FileSize = 1, Data = 2, Core = 4, Processes = 6, LockedMemory = 8,
        MessageQueues = 12, Nice = 13, RealTimePriority = 14;

    /// <summary>For process 1 of a run that has a user namespace of its own.</summary>
    /// <param name="pid">That process.</param>
    /// <param name="limits">What the run may use.</param>
    /// <param name="hasMemoryGroup">A cgroup counts the memory of the whole run, which is the better measure.</param>
    public static bool Apply(int pid, SandboxLimits limits, bool hasMemoryGroup) =>
        ApplyAll(pid, limits, hasMemoryGroup)
        && Set(pid, OpenFiles, (ulong)limits.OpenFiles)
        // Counted in each user namespace separately since Linux 5.14, so this is a limit of the run.
        && Set(pid, Processes, (ulong)limits.Pids + CageProcesses);

    /// <summary>For a process that shares the host's accounts. The number of processes is left alone: it would
    /// be compared with everything that the account runs, this server's threads included. The number of
    /// open files, <see cref="OpenFiles"/>, comes last and is set by the caller.</summary>
    public static bool ApplyToSelf(SandboxLimits limits, bool hasMemoryGroup) => ApplyAll(0, limits, hasMemoryGroup);

    private static bool ApplyAll(int pid, SandboxLimits limits, bool hasMemoryGroup) =>
        // The kernel warns with a signal of its own at the first number, by which the receipt knows the reason,
        // and kills at the second.
        Set(pid, CpuSeconds, (ulong)Math.Ceiling(limits.Cpu.TotalSeconds), graceMax: 1)
        && Set(pid, FileSize, (ulong)limits.FileBytes)
        && Set(pid, Core, 0)
        && Set(pid, LockedMemory, 64 << 10)
        && Set(pid, MessageQueues, 0)
        && Set(pid, Nice, 0)
        && Set(pid, RealTimePriority, 0)
        && (hasMemoryGroup || Set(pid, Data, (ulong)limits.MemoryBytes));

    /// <summary>The cage's own processes, which count as well: bubblewrap outside and its init inside.</summary>
    public const int CageProcesses = 2;

    private static unsafe bool Set(int pid, int resource, ulong value, ulong graceMax = 0)
    {
        var limit = stackalloc ulong[2];
        if (SetLimit(pid, resource, null, limit) != 0) return false;
        // Never above what this process was given itself: raising takes a right it may not have.
        limit[0] = Math.Min(value, limit[1]);
        limit[1] = Math.Min(value + graceMax, limit[1]);
        return SetLimit(pid, resource, limit, null) == 0;
    }

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static unsafe partial int SetLimit(int pid, int resource, ulong* next, ulong* previous);
}
