namespace Astra.Auditor.Cage.Discover;

/// <summary>
/// Packages while they are being discovered. The same package found in a lock file, in a cache and twice in a tree is
/// one package with several parts; being used, the shorter chain and every expected hash survive the merge.
/// </summary>
internal sealed class Finds
{
    private const int PartsPerPackageMax = 24;

    private readonly SortedDictionary<string, PackageRef> _byName = new(StringComparer.Ordinal);

    public Observations Project { get; } = new();
    public List<AllowEntry> Allowed { get; } = [];

    /// <summary>Python packages that are wanted in any version, with their chain.</summary>
    public Dictionary<string, string[]> WantedByName { get; } = new(StringComparer.Ordinal);
    public List<string> LeftOut { get; } = [];

    public bool Uses(Ecosystem ecosystem) => _byName.Values.Any(package => package.Ecosystem == ecosystem && package.Used);

    public PackageRef? Find(Ecosystem ecosystem, string id, string version) =>
        _byName.GetValueOrDefault(KeyOf(ecosystem, id, version));

    public IEnumerable<PackageRef> Of(Ecosystem ecosystem) => _byName.Values.Where(package => package.Ecosystem == ecosystem);

    public void Add(PackageRef package)
    {
        var key = KeyOf(package.Ecosystem, package.Id, package.Version);
        if (!_byName.TryGetValue(key, out var known))
        {
            _byName[key] = package;
            return;
        }
        var parts = known.Parts.Concat(package.Parts).Distinct().ToList();
        if (parts.Count > PartsPerPackageMax)
        {
            LeftOut.Add($"{key}: {parts.Count} copies, the first {PartsPerPackageMax} are inspected.");
            parts = parts[..PartsPerPackageMax];
        }
        var better = package.Used && (!known.Used || package.Chain.Count < known.Chain.Count) ? package : known;
        _byName[key] = better with
        {
            Used = known.Used || package.Used,
            Parts = parts,
            Expected = [.. known.Expected.Concat(package.Expected).Distinct(StringComparer.Ordinal)],
            Findings = [.. known.Findings.Concat(package.Findings).Distinct()],
        };
    }

    public DiscoverAnswer Answer() => new()
    {
        Packages = [.. _byName.Values],
        ProjectFindings = Project.InOrder(),
        Allowed = Allowed,
        LeftOut = LeftOut,
    };

    /// <summary>NuGet's and Python's ids are the same whatever their case; npm's are not.</summary>
    private static string KeyOf(Ecosystem ecosystem, string id, string version) =>
        PackageRef.WordOf(ecosystem) + "/" + (ecosystem is Ecosystem.NuGet ? id.ToLowerInvariant() : ecosystem is Ecosystem.Python ? PythonNames.Normalise(id) : id)
        + "@" + (ecosystem is Ecosystem.NuGet ? version.ToLowerInvariant() : version);
}

internal static class PythonNames
{
    /// <summary>PEP 503: runs of dots, dashes and underscores are one dash, case does not matter.</summary>
    public static string Normalise(string name)
    {
        var result = new System.Text.StringBuilder(name.Length);
        foreach (var character in name)
        {
            if (character is not ('-' or '_' or '.'))
                result.Append(char.ToLowerInvariant(character));
            else if (result.Length > 0 && result[^1] != '-')
                result.Append('-');
        }
        return result.ToString();
    }
}
