using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>The names in an open directory, as bytes, which is what they are. Without <c>.</c> and <c>..</c>.</summary>
internal sealed unsafe partial class DirectoryEntries : IDisposable
{
    // struct dirent: inode 8 bytes, offset 8, length 2, type 1, then the name.
    private const int TypeOffset = 18, NameOffset = 19;

    private nint _stream;

    public DirectoryEntries(SafeFileHandle directory)
    {
        const int duplicateCloseOnExec = 1030;
        var copy = FileControl(directory, duplicateCloseOnExec, 0);
        _stream = copy < 0 ? 0 : OpenStream(copy);
        if (_stream == 0) throw Native.Error("listing a directory of a run");
        // The copy shares its position with the original, which may have been listed before.
        Rewind(_stream);
    }

    /// <summary>The name is valid until the next call, and ends with a zero byte.</summary>
    public bool Next(out byte* name, out int type)
    {
        while (ReadEntry(_stream) is var entry && entry != null)
        {
            name = entry + NameOffset;
            type = entry[TypeOffset];
            var text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            if (!text.SequenceEqual("."u8) && !text.SequenceEqual(".."u8)) return true;
        }
        name = null;
        type = 0;
        return false;
    }

    public void Dispose()
    {
        if (_stream != 0) _ = CloseStream(_stream);
        _stream = 0;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeFileHandle handle, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fdopendir", SetLastError = true)]
    private static partial nint OpenStream(int descriptor);

    [LibraryImport("libc", EntryPoint = "rewinddir")]
    private static partial void Rewind(nint stream);

    [LibraryImport("libc", EntryPoint = "readdir", SetLastError = true)]
    private static partial byte* ReadEntry(nint stream);

    [LibraryImport("libc", EntryPoint = "closedir", SetLastError = true)]
    private static partial int CloseStream(nint stream);
}
