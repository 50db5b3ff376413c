using Astra.Auditor.Cage.Archives;
using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>Python: installed files against RECORD, wheels and source archives against recorded hashes, and what every
/// interpreter runs when it starts.</summary>
internal static class PythonInspection
{
    public static void Inspect(InspectRequest request, PackageReading reading)
    {
        var site = request.Parts.Where(part => part.Kind == PartKind.SiteEntry).ToList();
        if (site.Count > 0)
            InspectSite(site, reading);
        foreach (var part in request.Parts.Where(part => part.Kind is PartKind.Wheel or PartKind.SourceArchive))
            InspectArchive(part, request, reading);
        PythonStartUp.Judge(reading);
    }

    private static void InspectSite(List<PackagePart> parts, PackageReading reading)
    {
        // Copies in several site-packages directories are compared with their own records.
        foreach (var copy in parts.GroupBy(part => Path.GetDirectoryName(part.Path)!).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var record = copy.Select(part => Path.Combine(part.Path, "RECORD")).FirstOrDefault(File.Exists);
            var rows = record is null ? null : PythonRecord.Parse(File.ReadAllText(record));
            if (rows is null)
                reading.Observations.Add("hash-not-checkable", "", "It has no RECORD.");
            else
                CheckRecord(copy.Key, rows, reading);
            foreach (var part in copy)
                LookAt(part.Path, rows, reading);
        }
    }

    private static void CheckRecord(string site, IReadOnlyDictionary<string, string> rows, PackageReading reading)
    {
        var withoutHash = 0;
        foreach (var (path, recorded) in rows)
        {
            if (PythonRecord.LeavesPrefix(path))
                reading.Observations.Add("path-escape", path, "RECORD names a file outside the Python installation.");
            // Scripts and shared data lie outside of what this cage holds.
            if (path.StartsWith("..", StringComparison.Ordinal) || Path.IsPathRooted(path))
                continue;
            if (recorded.Length == 0)
            {
                withoutHash += path.EndsWith(".pyc", StringComparison.Ordinal) || path.Contains(".dist-info/", StringComparison.Ordinal) ? 0 : 1;
                continue;
            }
            var file = new FileInfo(Path.Combine(site, path));
            if (!file.Exists || file.LinkTarget is not null)
                reading.Observations.Add("installed-missing", path, "In RECORD only.");
            else if (FolderReading.Read(file) is { } content && Hashes.Parse(recorded) is { } hash && !Hashes.Of(content.Span, hash.Algorithm).AsSpan().SequenceEqual(hash.Value))
                reading.Observations.Add("installed-edited", path, "Its hash is not the one in RECORD.");
        }
        if (withoutHash > 0)
            reading.Observations.Add("record-incomplete", "", $"{withoutHash} files.");
    }

    private static void LookAt(string path, IReadOnlyDictionary<string, string>? rows, PackageReading reading)
    {
        var name = Path.GetFileName(path);
        if (File.Exists(path))
        {
            if (FolderReading.Read(new FileInfo(path)) is { } content)
                reading.Look(name, content);
            return;
        }
        if (!Directory.Exists(path))
            return;
        // A directory without an own __init__ is shared between distributions, and the others' files are theirs.
        var isOwn = rows is null || name.EndsWith(".dist-info", StringComparison.Ordinal) || rows.ContainsKey(name + "/__init__.py");
        foreach (var (relative, file) in FolderReading.Files(path, reading.Observations, directory => directory.EndsWith("__pycache__", StringComparison.Ordinal)))
        {
            var inSite = name + "/" + relative;
            var recorded = rows is null || rows.ContainsKey(inSite);
            if (!recorded && !isOwn)
                continue;
            NameChecks.Check(inSite, reading.Observations);
            var content = FolderReading.Read(file);
            if (!recorded && !IsInstallersOwn(inSite))
            {
                var runs = content is { } bytes && (PackageReading.LanguageOf(inSite, bytes.Span) != Language.None || FileKinds.IsProgram(FileKinds.Of(bytes.Span)));
                reading.Observations.Add(runs ? "installed-extra-code" : "installed-extra", inSite, "Not in RECORD.");
            }
            if (content is { } read)
                reading.Look(inSite, read);
            else
                reading.Count(inSite, file.Length);
        }
    }

    private static void InspectArchive(PackagePart part, InspectRequest request, PackageReading reading)
    {
        var name = Path.GetFileName(part.Path);
        Hashes.Compare(part.Path, name, request.Expected, reading.Observations);
        using var file = File.OpenRead(part.Path);
        if (part.Kind == PartKind.SourceArchive && !name.EndsWith(".zip", StringComparison.OrdinalIgnoreCase))
        {
            TarReading.Read(file, name, reading, Visit);
            return;
        }
        ZipDirectory directory;
        try
        {
            directory = ZipDirectory.Read(file);
        }
        catch (Exception failure) when (failure is InvalidDataException or EndOfStreamException or ArgumentException)
        {
            reading.Observations.Add("archive-broken", name, failure.Message);
            return;
        }
        var contents = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        ZipReading.Read(directory, name, reading, (path, content, size) =>
        {
            if (content is { } bytes)
                contents[path] = System.Security.Cryptography.SHA256.HashData(bytes.Span);
            Visit(path, content, size);
        });
        CheckWheelRecord(contents, reading);

        void Visit(string path, ReadOnlyMemory<byte>? content, long size)
        {
            if (content is { } bytes)
                reading.Look(path, bytes);
            else
                reading.Count(path, size);
        }
    }

    private static void CheckWheelRecord(Dictionary<string, byte[]> contents, PackageReading reading)
    {
        var record = reading.Texts.FirstOrDefault(text => text.Key.EndsWith(".dist-info/RECORD", StringComparison.Ordinal)).Value;
        if (record is null)
            return;
        var rows = PythonRecord.Parse(record);
        foreach (var (path, hash) in contents)
        {
            if (!rows.TryGetValue(path, out var recorded))
            {
                if (!path.Contains(".dist-info/RECORD", StringComparison.Ordinal))
                    reading.Observations.Add("installed-extra-code", path, "In the wheel, but not in its RECORD.");
            }
            else if (Hashes.Parse(recorded) is ("sha256", var expected) && !expected.AsSpan().SequenceEqual(hash))
            {
                reading.Observations.Add("hash-mismatch", path, "Its hash is not the one in the wheel's RECORD.");
            }
        }
    }

    private static bool IsInstallersOwn(string path) =>
        Path.GetFileName(path) is "INSTALLER" or "REQUESTED" or "direct_url.json" or "RECORD" or "uv_cache.json" or "WHEEL";
}

/// <summary>RECORD: `path,algorithm=hash,size` in CSV.</summary>
internal static class PythonRecord
{
    // lib/pythonX.Y/site-packages is three below the prefix; anything above it is the rest of the machine.
    private const int DepthOfSite = 3;

    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n'))
        {
            var fields = Fields(line.TrimEnd('\r'));
            if (fields.Count >= 2 && fields[0].Length > 0)
                rows[fields[0].Replace('\\', '/')] = fields[1];
        }
        return rows;
    }

    public static bool LeavesPrefix(string path)
    {
        var depth = DepthOfSite;
        foreach (var part in path.Split('/'))
        {
            depth += part == ".." ? -1 : 1;
            if (depth < 0)
                return true;
        }
        return false;
    }

    private static List<string> Fields(string line)
    {
        var fields = new List<string>();
        var field = new System.Text.StringBuilder();
        var quoted = false;
        foreach (var character in line)
        {
            if (character == '"')
                quoted = !quoted;
            else if (character == ',' && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else
                field.Append(character);
        }
        fields.Add(field.ToString());
        return fields;
    }
}
