using System.Runtime.InteropServices;

namespace Astra.Chaos.Processes;

/// <summary>What is done to a process from outside. Only ever to one that this program has started.</summary>
internal static partial class Signals
{
    public const int Quit = 3;
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    private const int OpenFiles = 7;

    /// <returns>Whether the process was there to hear it.</returns>
    public static bool Send(int process, int signal) => kill(process, signal) == 0;

    /// <summary>Ends this process as `kill -9` does: nothing of it runs again, not even a handler.</summary>
    public static void KillSelf()
    {
        kill(Environment.ProcessId, Kill);
        Thread.Sleep(Timeout.Infinite);
    }

    /// <summary>How many files and sockets a process may have open; gives back what it was.</summary>
    public static ulong LimitOpenFiles(int process, ulong count)
    {
        if (prlimit(process, OpenFiles, IntPtr.Zero, out var before) != 0)
            throw new InvalidOperationException($"The limits of process {process} cannot be read: error {Marshal.GetLastPInvokeError()}.");
        var after = before with { Soft = Math.Min(count, before.Hard) };
        if (prlimit(process, OpenFiles, in after, IntPtr.Zero) != 0)
            throw new InvalidOperationException($"The limits of process {process} cannot be set: error {Marshal.GetLastPInvokeError()}.");
        return before.Soft;
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct ResourceLimit(ulong Soft, ulong Hard);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static partial int prlimit(int pid, int resource, IntPtr unchanged, out ResourceLimit before);

    [LibraryImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    private static partial int prlimit(int pid, int resource, in ResourceLimit after, IntPtr ignored);
}
