using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>Whether a file system that belongs to one run has filled up.</summary>
internal static unsafe partial class Scratch
{
    /// <summary>Of its bytes or its files.</summary>
    public static bool IsFull(SafeFileHandle directory)
    {
        // struct statfs: type, block size, blocks, free, available, files, files free; 64 bits each.
        var status = stackalloc long[32];
        return FileSystemStatus(directory, status) == 0 && (status[4] == 0 || status[6] == 0);
    }

    [LibraryImport("libc", EntryPoint = "fstatfs", SetLastError = true)]
    private static partial int FileSystemStatus(SafeFileHandle directory, long* status);
}
