using System.Buffers.Binary;

namespace Astra.Auditor.Cage.Content;

internal enum FileKind { Other, Elf, Pe, MachO, Script, Zip, Gzip, WebAssembly }

/// <summary>What a file is by its first bytes, and what its name says it is; the difference is what matters.</summary>
internal static class FileKinds
{
    private static readonly HashSet<string> DocumentExtensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".txt", ".md", ".rst", ".html", ".htm", ".css", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".bmp", ".webp", ".pdf",
        ".doc", ".docx", ".xml", ".json", ".yaml", ".yml", ".csv", ".toml", ".ini", ".license", ".woff", ".woff2", ".ttf", ".eot",
        ".mp3", ".mp4", ".wav", ".map", ".log", ".rtf", ".xlsx", ".nuspec", ".psmdcp", ".rels", ".p7s", ".resx",
    };

    private static readonly HashSet<string> RunnableExtensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".exe", ".dll", ".scr", ".com", ".bat", ".cmd", ".ps1", ".vbs", ".vbe", ".jse", ".wsf", ".hta", ".msi", ".lnk", ".pif", ".cpl", ".jar", ".sh",
    };

    private static readonly HashSet<string> DocumentFolders = new(StringComparer.OrdinalIgnoreCase) { "doc", "docs", "documentation", "man", "images", "img", "icons", "fonts", "licenses" };

    public static FileKind Of(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("\u007fELF"u8))
            return FileKind.Elf;
        if (start.StartsWith("MZ"u8) && IsPe(start))
            return FileKind.Pe;
        if (start.StartsWith("PK\u0003\u0004"u8))
            return FileKind.Zip;
        if (start.StartsWith("\0asm"u8))
            return FileKind.WebAssembly;
        if (start.Length > 2 && start[0] == 0x1F && start[1] == 0x8B)
            return FileKind.Gzip;
        if (start.Length > 8 && IsMachO(start))
            return FileKind.MachO;
        return IsScript(start) ? FileKind.Script : FileKind.Other;
    }

    public static bool IsProgram(FileKind kind) => kind is FileKind.Elf or FileKind.Pe or FileKind.MachO;

    public static bool IsNamedLikeDocument(string path) => DocumentExtensions.Contains(Path.GetExtension(path));

    public static bool IsRunnableExtension(string extension) => RunnableExtensions.Contains(extension);

    public static bool IsDocumentExtension(string extension) => DocumentExtensions.Contains(extension);

    public static bool LiesAmongDocuments(string path) =>
        path.Split('/')[..^1].Any(DocumentFolders.Contains);

    /// <summary>Fonts are named as fonts, dotted directories such as `.libs` are not hidden code but a linker's habit.</summary>
    public static bool IsHidden(string path) =>
        path.Split('/').Any(part => part.Length > 1 && part[0] == '.' && part is not (".libs" or ".dylibs" or ".bin" or ".pnpm" or ".."));

    private static bool IsPe(ReadOnlySpan<byte> start)
    {
        // "MZ" alone opens plenty of texts; a program also points to a PE header. When the start is cut before it, believe "MZ".
        if (start.Length < 64)
            return false;
        var header = BinaryPrimitives.ReadInt32LittleEndian(start[60..]);
        if (header < 0)
            return false;
        return header + 4 > start.Length ? start.Contains((byte)0) : start.Slice(header, 2).SequenceEqual("PE"u8);
    }

    private static bool IsMachO(ReadOnlySpan<byte> start)
    {
        var magic = BinaryPrimitives.ReadUInt32BigEndian(start);
        // 0xCAFEBABE also opens Java classes; a universal binary holds a handful of architectures, a class a version above 40.
        return magic is 0xFEEDFACE or 0xFEEDFACF or 0xCEFAEDFE or 0xCFFAEDFE
            || (magic == 0xCAFEBABE && BinaryPrimitives.ReadUInt32BigEndian(start[4..]) < 20);
    }

    private static bool IsScript(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("\uFEFF"u8))
            start = start[3..];
        if (!start.StartsWith("#!"u8))
            return false;
        var line = start[..Math.Min(start.Length, 80)];
        var end = line.IndexOf((byte)'\n');
        line = end < 0 ? line : line[..end];
        return line.IndexOf("/"u8) >= 0;
    }
}
