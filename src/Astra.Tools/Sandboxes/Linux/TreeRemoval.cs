using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// Removes a directory that a tool has filled. The base library cannot: it wants names to be text and paths to
/// have an end, and a tool may leave names that are no text in directories deeper than any path can say.
/// </summary>
internal static unsafe partial class TreeRemoval
{
    /// <summary>Each level holds a descriptor. What lies deeper is moved to the top and removed from there.</summary>
    private const int DepthMax = 32;

    private const int DirectoryType = 4;
    private const int RemoveDirectory = 0x200;
    private const uint OwnerOnly = 0x1c0;

    public static void Remove(string path)
    {
        using (var top = Native.OpenDirectory(path))
        {
            if (top is null) return;
            var moved = 0;
            while (Empty(top, top, 0, ref moved))
            {
            }
        }
        Directory.Delete(path);
    }

    /// <summary>Returns whether anything was moved to the top, where another round has to look.</summary>
    private static bool Empty(SafeFileHandle directory, SafeFileHandle top, int depth, ref int moved)
    {
        var movedBefore = moved;
        using var entries = new DirectoryEntries(directory);
        while (entries.Next(out var name, out var type))
        {
            if (type != DirectoryType)
            {
                _ = Unlink(directory, name, 0);
                continue;
            }
            if (depth == DepthMax)
            {
                var place = System.Text.Encoding.UTF8.GetBytes($".moved-{moved++}\0");
                fixed (byte* start = place) _ = Rename(directory, name, top, start);
                continue;
            }
            // A tool may have taken away the right to look into its own directory.
            _ = ChangeMode(directory, name, OwnerOnly, 0);
            using (var below = Native.OpenBeneath(directory, name, Native.ReadOnly | Native.Directory))
                if (below is not null) Empty(below, top, depth + 1, ref moved);
            _ = Unlink(directory, name, RemoveDirectory);
        }
        return moved > movedBefore;
    }

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    private static partial int Unlink(SafeFileHandle directory, byte* name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    private static partial int Rename(SafeFileHandle from, byte* name, SafeFileHandle to, byte* newName);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    private static partial int ChangeMode(SafeFileHandle directory, byte* name, uint mode, int flags);
}
