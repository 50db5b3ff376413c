using Astra.Auditor.Cage.Archives;

namespace Astra.Auditor.Cage.Inspect;

/// <summary>npm: the tarball against its recorded integrity, installed folders against the tarball, and what runs when the
/// package is installed.</summary>
internal static class NpmInspection
{
    public static void Inspect(InspectRequest request, PackageReading reading)
    {
        var folders = request.Parts.Where(part => part.Kind == PartKind.NpmFolder).Select(part => part.Path).ToList();
        var archive = request.Parts.FirstOrDefault(part => part.Kind == PartKind.NpmArchive)?.Path;
        if (archive is not null)
        {
            InspectArchive(archive, folders, request, reading);
            NpmScripts.Judge(reading);
            return;
        }
        reading.Observations.Add("hash-not-checkable", "", "No tarball of it in the cache.");
        foreach (var folder in folders)
        {
            // Copies of one version may differ, so each has its own scripts judged.
            reading.Texts.Clear();
            FolderReading.LookAtAll(folder, reading, IsNestedPackages);
            NpmScripts.Judge(reading);
        }
    }

    private static void InspectArchive(string path, List<string> folders, InspectRequest request, PackageReading reading)
    {
        var name = Path.GetFileName(path);
        Hashes.Compare(path, name, request.Expected, reading.Observations);
        var copies = folders.ConvertAll(folder => new InstalledCopy(folder, "installed-edited", reading, IsInstallersOwn, IsBuiltHere));
        using var file = File.OpenRead(path);
        TarReading.Read(file, name, reading, (relative, content, size) =>
        {
            foreach (var copy in copies)
                copy.Compare(relative, content, size);
            if (content is { } bytes)
                reading.Look(relative, bytes);
            else
                reading.Count(relative, size);
        });
        // Against an archive that could not be read every file would look extra.
        if (reading.Observations.Has("archive-broken") || reading.Observations.Has("archive-bomb"))
        {
            folders.ForEach(folder => FolderReading.LookAtAll(folder, reading, IsNestedPackages));
            return;
        }
        copies.ForEach(copy => copy.LookAtTheRest(IsNestedPackages));
    }

    private static bool IsNestedPackages(string relative) => relative == "node_modules" || relative.EndsWith("/node_modules", StringComparison.Ordinal);

    private static bool IsInstallersOwn(string relative) =>
        relative is ".package-lock.json" || relative.StartsWith("node_modules/", StringComparison.Ordinal);

    /// <summary>Where install scripts put what they compile or fetch.</summary>
    private static bool IsBuiltHere(string relative) =>
        relative.StartsWith("build/", StringComparison.Ordinal) || relative.StartsWith("lib/binding/", StringComparison.Ordinal) || relative.StartsWith("prebuilds/", StringComparison.Ordinal);
}
