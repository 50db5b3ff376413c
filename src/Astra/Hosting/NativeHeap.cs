using System.Runtime.InteropServices;

namespace Astra.Hosting;

/// <summary>The memory that the runtime itself allocates, its compiler above all.</summary>
internal static partial class NativeHeap
{
    // Of <malloc.h>.
    private const int TrimThreshold = -1;
    private const int ArenaMax = -8;

    /// <summary>Has free memory at the end of a heap given back, and few heaps. By itself glibc raises the bound up to 64 MB as it
    /// goes, and makes up to eight heaps for each core, so a server comes to hold what each of them needed in its busiest moment.</summary>
    public static void GiveBack()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = SetOption(TrimThreshold, 128 << 10);
            _ = SetOption(ArenaMax, 2);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library, whose allocator has no such options.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
