using Astra.Auditor.Cage.Inspect;

namespace Astra.Auditor.Cage.Discover;

/// <summary>The distributions of one site-packages directory, each with the top-level entries its RECORD names, and what no
/// distribution owns.</summary>
internal static class SitePackagesListing
{
    private const int EntriesPerPackageMax = 40;
    private const int RecordSizeMax = 32 << 20;
    private const string UnownedId = "(unowned files)";

    public static void Read(string site, bool used, IReadOnlyList<string> chain, Finds finds)
    {
        if (!Directory.Exists(site))
            return;
        var entries = new DirectoryInfo(site).GetFileSystemInfos().Where(entry => entry.LinkTarget is null).Select(entry => entry.Name).Order(StringComparer.Ordinal).ToList();
        var owned = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in entries)
        {
            if (name.EndsWith(".dist-info", StringComparison.Ordinal))
                ReadDistribution(site, name, used, chain, owned, finds);
            else if (name.EndsWith(".egg-info", StringComparison.Ordinal))
                ReadEgg(site, name, used, chain, owned, finds);
        }
        var unowned = entries.Where(name => !owned.Contains(name) && name != "__pycache__").ToList();
        if (unowned.Count > 0)
            AddUnowned(site, unowned, used, chain, finds);
    }

    private static void ReadDistribution(string site, string folder, bool used, IReadOnlyList<string> chain, HashSet<string> owned, Finds finds)
    {
        var tops = new SortedSet<string>(StringComparer.Ordinal) { folder };
        var record = new FileInfo(Path.Combine(site, folder, "RECORD"));
        if (record.Exists && record.Length < RecordSizeMax)
        {
            foreach (var path in PythonRecord.Parse(File.ReadAllText(record.FullName)).Keys)
            {
                var top = path.Split('/')[0];
                if (top is not (".." or "." or "" or "__pycache__") && (File.Exists(Path.Combine(site, top)) || Directory.Exists(Path.Combine(site, top))))
                    tops.Add(top);
            }
        }
        owned.UnionWith(tops);
        var stem = folder[..^".dist-info".Length];
        var dash = stem.LastIndexOf('-');
        var fallback = dash > 0 ? (stem[..dash], stem[(dash + 1)..]) : (stem, "0");
        var metadata = Path.Combine(site, folder, "METADATA");
        var (id, version) = (File.Exists(metadata) ? TarIdentity.FromMetadata(File.ReadAllText(metadata)) : null) ?? fallback;
        Add(site, id, version, tops, used, chain, finds);
    }

    private static void ReadEgg(string site, string name, bool used, IReadOnlyList<string> chain, HashSet<string> owned, Finds finds)
    {
        var tops = new SortedSet<string>(StringComparer.Ordinal) { name };
        var full = Path.Combine(site, name);
        var listing = Path.Combine(full, "top_level.txt");
        if (Directory.Exists(full) && File.Exists(listing))
        {
            foreach (var top in File.ReadAllText(listing).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                foreach (var candidate in new[] { top, top + ".py" })
                {
                    if (!candidate.Contains('/') && (File.Exists(Path.Combine(site, candidate)) || Directory.Exists(Path.Combine(site, candidate))))
                        tops.Add(candidate);
                }
            }
        }
        owned.UnionWith(tops);
        var info = Directory.Exists(full) ? Path.Combine(full, "PKG-INFO") : full;
        var parts = name[..^".egg-info".Length].Split('-');
        var (id, version) = (File.Exists(info) ? TarIdentity.FromMetadata(File.ReadAllText(info)) : null) ?? (parts[0], parts.ElementAtOrDefault(1) ?? "0");
        Add(site, id, version, tops, used, chain, finds);
    }

    /// <summary>Start-up files and modules that came from nowhere are where intruders and old hand-made edits live.</summary>
    private static void AddUnowned(string site, List<string> names, bool used, IReadOnlyList<string> chain, Finds finds)
    {
        var kept = names.OrderByDescending(name => name.EndsWith(".pth", StringComparison.Ordinal) || name.EndsWith("customize.py", StringComparison.Ordinal)).Take(EntriesPerPackageMax);
        if (names.Count > EntriesPerPackageMax)
            finds.LeftOut.Add($"{site}: {names.Count} entries belong to no distribution; the first {EntriesPerPackageMax} are inspected.");
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.Python,
            Id = UnownedId,
            // Not a version: two directories' strays are two packages.
            Version = site.TrimStart('/').Replace('/', '.'),
            Used = used,
            Chain = chain,
            Parts = [.. kept.Order(StringComparer.Ordinal).Select(name => new PackagePart(PartKind.SiteEntry, Path.Combine(site, name)))],
        });
    }

    private static void Add(string site, string id, string version, SortedSet<string> tops, bool used, IReadOnlyList<string> chain, Finds finds)
    {
        var wanted = finds.WantedByName.GetValueOrDefault(PythonNames.Normalise(id));
        var known = finds.Find(Ecosystem.Python, id, version);
        if (tops.Count > EntriesPerPackageMax)
            finds.LeftOut.Add($"{id} {version}: {tops.Count} top-level entries, the first {EntriesPerPackageMax} are inspected.");
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.Python,
            Id = known?.Id ?? id,
            Version = version,
            Used = used || wanted is not null,
            Chain = wanted is null ? [.. chain, $"{id} {version}"] : [.. wanted[..^1], $"{id} {version}"],
            Parts = [.. tops.Take(EntriesPerPackageMax).Select(name => new PackagePart(PartKind.SiteEntry, Path.Combine(site, name)))],
        });
    }
}
