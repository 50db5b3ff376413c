using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>
/// An installed folder next to the archive it came from. The archive is what hashes vouch for, the folder is what is
/// used: a file changed after installation is found only by comparing the two, byte by byte.
/// </summary>
internal sealed class InstalledCopy(string folder, string differsRule, PackageReading reading, Func<string, bool> isInstallersOwn, Func<string, bool>? isBuiltHere = null)
{
    private readonly HashSet<string> _inArchive = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="content">Null when it was too large to keep; then only the sizes are compared.</param>
    public void Compare(string path, ReadOnlyMemory<byte>? content, long size)
    {
        _inArchive.Add(path);
        if (NameChecks.Escapes(path) || Find(path) is not { } file)
        {
            if (!isInstallersOwn(path))
                reading.Observations.Add("installed-missing", path, "In the archive only.");
            return;
        }
        if (file.Length == size && (content is null || File.ReadAllBytes(file.FullName).AsSpan().SequenceEqual(content.Value.Span)))
            return;
        reading.Observations.Add(differsRule, path, $"The archive holds {size} bytes, the folder {file.Length} other bytes.");
        // The swapped file is the one that runs, so it is looked at as well.
        if (FolderReading.Read(file) is { } installed)
            reading.Look(path, installed);
    }

    /// <summary>After all entries: what the folder holds beyond them.</summary>
    public void LookAtTheRest(Func<string, bool>? skip = null)
    {
        foreach (var (path, file) in FolderReading.Files(folder, reading.Observations, skip))
        {
            if (_inArchive.Contains(path) || isInstallersOwn(path))
                continue;
            var content = FolderReading.Read(file);
            var runs = isBuiltHere?.Invoke(path) != true && (content is not { } bytes || CanRun(path, bytes.Span));
            reading.Observations.Add(runs ? "installed-extra-code" : "installed-extra", path, $"{file.Length} bytes that no archive vouches for.");
            if (content is { } extra)
                reading.Look(path, extra);
        }
    }

    private FileInfo? Find(string path)
    {
        var file = new FileInfo(Path.Combine(folder, path));
        if (file.Exists && file.LinkTarget is null)
            return file;
        // NuGet writes the nuspec in lower case.
        file = new FileInfo(Path.Combine(folder, path.ToLowerInvariant()));
        return file.Exists && file.LinkTarget is null ? file : null;
    }

    private static bool CanRun(string path, ReadOnlySpan<byte> content) =>
        FileKinds.Of(content) is FileKind.Elf or FileKind.Pe or FileKind.MachO or FileKind.Script
        || PackageReading.LanguageOf(path, content) != Language.None
        || Path.GetExtension(path).ToUpperInvariant() is ".TARGETS" or ".PROPS" or ".TASKS";
}
