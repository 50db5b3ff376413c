using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Astra.Auditor;
using Astra.Auditor.Cage;
using Xunit;

namespace Astra.Tests.Auditing;

/// <summary>A directory in which a test plants packages; gone when the test ends.</summary>
internal sealed class PlantedPackages : IDisposable
{
    public PlantedPackages() => Root = Directory.CreateTempSubdirectory("astra-audit-").FullName;

    public string Root { get; }
    public string Tree => Folder("tree");
    public string NuGetCache => Folder("nuget");
    public string SitePackages => Folder("site");

    public string Folder(string name) => Directory.CreateDirectory(Path.Combine(Root, name)).FullName;

    public string Write(string relative, string content) => Write(relative, Encoding.UTF8.GetBytes(content));

    public string Write(string relative, byte[] content)
    {
        var path = Path.Combine(Root, relative);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A package in the cache's layout: archive, hash beside it, files extracted.</summary>
    /// <returns>The content hash a lock file would record.</returns>
    public string PlantNuGet(string id, string version, params (string Path, byte[] Content)[] files)
    {
        var archive = Zip([($"{id}.nuspec", Nuspec(id, version)), .. files]);
        var folder = $"nuget/{id.ToLowerInvariant()}/{version}";
        var hash = Convert.ToBase64String(SHA512.HashData(archive));
        Write($"{folder}/{id.ToLowerInvariant()}.{version}.nupkg", archive);
        Write($"{folder}/{id.ToLowerInvariant()}.{version}.nupkg.sha512", hash);
        Write($"{folder}/{id.ToLowerInvariant()}.nuspec", Nuspec(id, version));
        foreach (var (path, content) in files)
            Write($"{folder}/{path}", content);
        return hash;
    }

    public InspectAnswer InspectNuGet(params (string Path, string Content)[] files)
    {
        PlantNuGet("Planted", "1.0.0", [.. files.Select(file => (file.Path, Encoding.UTF8.GetBytes(file.Content)))]);
        return InspectNuGetFolder();
    }

    public InspectAnswer InspectNuGetFolder(params string[] expected) =>
        Inspect(Ecosystem.NuGet, PartKind.NuGetFolder, Path.Combine(Root, "nuget/planted/1.0.0"), expected);

    public InspectAnswer InspectNuGetArchive(byte[] archive, params string[] expected) =>
        Inspect(Ecosystem.NuGet, PartKind.NuGetArchive, Write("planted.1.0.0.nupkg", archive), expected);

    public InspectAnswer InspectNpm(params (string Path, string Content)[] files)
    {
        foreach (var (path, content) in files)
            Write("npm/" + path, content);
        return Inspect(Ecosystem.Npm, PartKind.NpmFolder, Folder("npm"), []);
    }

    public InspectAnswer InspectNpmArchive(byte[] archive, params string[] expected) =>
        Inspect(Ecosystem.Npm, PartKind.NpmArchive, Write("planted-1.0.0.tgz", archive), expected);

    /// <summary>A distribution in site-packages with a RECORD that matches.</summary>
    public InspectAnswer InspectPython(params (string Path, string Content)[] files)
    {
        PlantPython(files);
        return InspectSite();
    }

    public void PlantPython(params (string Path, string Content)[] files)
    {
        var record = new StringBuilder("planted-1.0.0.dist-info/RECORD,,\n");
        foreach (var (path, content) in files)
        {
            Write("site/" + path, content);
            var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(content))).TrimEnd('=').Replace('+', '-').Replace('/', '_');
            record.Append($"{path},sha256={hash},{content.Length}\n");
        }
        Write("site/planted-1.0.0.dist-info/RECORD", record.ToString());
    }

    public InspectAnswer InspectSite()
    {
        var parts = Directory.GetFileSystemEntries(SitePackages).Order(StringComparer.Ordinal).Select(path => new PackagePart(PartKind.SiteEntry, path));
        return Inspector.Inspect(new InspectRequest { Ecosystem = Ecosystem.Python, Id = "planted", Version = "1.0.0", Parts = [.. parts] });
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    public static byte[] Nuspec(string id, string version) =>
        Encoding.UTF8.GetBytes($"<package><metadata><id>{id}</id><version>{version}</version></metadata></package>");

    public static byte[] Zip(params (string Path, byte[] Content)[] files)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (path, content) in files)
            {
                using var entry = zip.CreateEntry(path).Open();
                entry.Write(content);
            }
        }
        return stream.ToArray();
    }

    public static byte[] Tgz(params TarEntry[] entries)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(gzip, TarEntryFormat.Pax))
        {
            foreach (var entry in entries)
                tar.WriteEntry(entry);
        }
        return stream.ToArray();
    }

    public static TarEntry TarFile(string path, string content) => TarFile(path, Encoding.UTF8.GetBytes(content));

    public static TarEntry TarFile(string path, byte[] content) =>
        new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream(content) };

    private static InspectAnswer Inspect(Ecosystem ecosystem, PartKind kind, string path, string[] expected) =>
        Inspector.Inspect(new InspectRequest { Ecosystem = ecosystem, Id = "planted", Version = "1.0.0", Expected = expected, Parts = [new PackagePart(kind, path)] });
}

internal static class AnswerChecks
{
    public static IReadOnlyList<string> RulesAtLeast(this InspectAnswer answer, Severity severity) =>
        [.. answer.Findings.Where(finding => Rules.Of(finding).Severity >= severity).Select(finding => finding.Rule).Distinct()];

    public static bool Has(this InspectAnswer answer, string rule) => answer.Findings.Any(finding => finding.Rule == rule);

    /// <summary>The package would fail an audit with the default threshold.</summary>
    public static void IsCaught(this InspectAnswer answer) =>
        Assert.True(answer.RulesAtLeast(Severity.High).Count > 0, "Not caught; found only: " + string.Join(", ", answer.Findings.Select(finding => finding.Rule)));

    public static void IsCaughtBy(this InspectAnswer answer, string rule) =>
        Assert.Contains(rule, answer.Findings.Select(finding => finding.Rule));

    /// <summary>At most low: nothing that would make a person look.</summary>
    public static void IsUnremarkable(this InspectAnswer answer) =>
        Assert.Empty(answer.Findings.Where(finding => Rules.Of(finding).Severity >= Severity.Medium).Select(finding => $"{finding.Rule} {finding.Where}: {finding.Detail} {finding.Evidence}"));
}
