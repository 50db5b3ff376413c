using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Astra.Tools.Sandboxes.Linux;

/// <summary>
/// Looks at what a dead run left in a directory, and takes files out. Nothing in there is trusted: names are
/// bytes that the program chose, links may point anywhere, and a name may be a pipe that nobody will ever
/// write to. So nothing is opened by path, no link is followed, and everything is bounded.
/// </summary>
internal static unsafe class WrittenFiles
{
    /// <summary>Entries looked at in one run. The rest is not listed, and the list says so.</summary>
    private const int EntriesMax = 1000;

    private const int DepthMax = 16;
    private const int DirectoryType = 4, RegularType = 8;

    /// <summary>Every name below the directory, links and the like included, plus what may be taken out.</summary>
    public static FoundFiles Find(SafeFileHandle directory, string shownAs)
    {
        var found = new FoundFiles();
        Walk(directory, "", shownAs, 0, found);
        return found;
    }

    /// <summary>The content of regular files, as far as the bounds allow.</summary>
    public static List<OutputFile> TakeOut(
        SafeFileHandle directory, IEnumerable<string> names, long bytesMax, int filesMax, out bool wasCut)
    {
        var files = new List<OutputFile>();
        wasCut = false;
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            if (files.Count == filesMax)
            {
                wasCut = true;
                break;
            }
            if (Content(directory, name, bytesMax) is not { } content)
            {
                wasCut = true;
                continue;
            }
            bytesMax -= content.Length;
            files.Add(new OutputFile(name, content));
        }
        return files;
    }

    private static void Walk(SafeFileHandle directory, string prefix, string shownAs, int depth, FoundFiles found)
    {
        using var entries = new DirectoryEntries(directory);
        while (entries.Next(out var name, out var type))
        {
            if (found.Shown.Count == EntriesMax)
            {
                found.IsCut = true;
                return;
            }
            var bytes = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            var plain = PlainName(bytes);
            found.Shown.Add($"{shownAs}/{prefix}{plain ?? Escaped(bytes)}");
            if (type == RegularType && plain is not null) found.Regular.Add(prefix + plain);
            if (type != DirectoryType) continue;
            using var below = plain is null || depth == DepthMax
                ? null
                : Native.OpenBeneath(directory, name, Native.ReadOnly | Native.Directory);
            if (below is null) found.IsCut = true;
            else Walk(below, $"{prefix}{plain}/", shownAs, depth + 1, found);
        }
    }

    private static byte[]? Content(SafeFileHandle directory, string name, long bytesMax)
    {
        var path = Encoding.UTF8.GetBytes(name + "\0");
        fixed (byte* start = path)
        {
            // The run is dead, so what was a regular file when it was found still is one.
            using var file = Native.OpenBeneath(directory, start, Native.ReadOnly | Native.NonBlocking);
            if (file is null) return null;
            var length = RandomAccess.GetLength(file);
            // A sparse file is small on disk and may be huge to read.
            if (length > bytesMax) return null;
            var content = new byte[length];
            var read = 0;
            while (read < content.Length && RandomAccess.Read(file, content.AsSpan(read), read) is var count and > 0)
                read += count;
            return content[..read];
        }
    }

    // A name that is safe to join, to print and to store: valid UTF-8, no control characters, no backslash
    // (a separator elsewhere), not too long.
    private static string? PlainName(ReadOnlySpan<byte> bytes)
    {
        const int nameBytesMax = 255;
        if (bytes.Length > nameBytesMax) return null;
        try
        {
            var name = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            return name.Any(c => char.IsControl(c) || c is '\\' or '/' or '\u2028' or '\u2029') ? null : name;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    private static string Escaped(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (var b in bytes)
            if (b is >= 0x20 and < 0x7f and not (byte)'\\') text.Append((char)b);
            else text.Append("\\x").Append(b.ToString("x2"));
        return text.ToString();
    }
}

/// <summary>Names found in a directory that a run could write to.</summary>
internal sealed class FoundFiles
{
    /// <summary>All of them, as they look from inside; strange bytes escaped.</summary>
    public List<string> Shown { get; } = [];

    /// <summary>Regular files with plain names, relative.</summary>
    public List<string> Regular { get; } = [];

    public bool IsCut { get; set; }
}
