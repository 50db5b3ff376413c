using System.Text.RegularExpressions;

namespace Astra.Auditor.Cage.Discover;

/// <summary>Python: requirements, poetry.lock and uv.lock for what is used; site-packages, wheels and source archives for
/// where it lies.</summary>
internal static partial class PythonDiscovery
{
    private const int LockSizeMax = 64 << 20;

    public static void Discover(TreeWalk tree, DiscoverRequest request, Finds finds)
    {
        foreach (var file in tree.Files)
        {
            var name = Path.GetFileName(file);
            if (name is "poetry.lock" or "uv.lock" or "pdm.lock")
                ReadLock(tree, file, finds);
            else if (name.EndsWith(".txt", StringComparison.Ordinal) && name.StartsWith("requirements", StringComparison.Ordinal))
                ReadRequirements(tree, file, finds);
            else if (name.EndsWith(".whl", StringComparison.Ordinal))
                AddWheel(tree.Full(file), file, finds);
            else if (name.EndsWith(".tar.gz", StringComparison.Ordinal) && TarIdentity.OfPython(tree.Full(file)) is { } identity)
                AddArchive(identity, PartKind.SourceArchive, tree.Full(file), file, finds);
        }
        foreach (var site in tree.SitePackages)
            SitePackagesListing.Read(tree.Full(site), used: true, ["(in the tree)", site], finds);
        foreach (var site in request.SitePackages)
            SitePackagesListing.Read(site, used: false, ["site-packages"], finds);
    }

    private static void ReadLock(TreeWalk tree, string file, Finds finds)
    {
        try
        {
            if (new FileInfo(tree.Full(file)).Length > LockSizeMax)
                throw new TomlException("Too large for a lock file.", 1);
            var root = Toml.Parse(File.ReadAllText(tree.Full(file)));
            var packages = Tables(root, "package").ToList();
            var needs = packages.ToDictionary(package => PythonNames.Normalise(Text(package, "name")) + "@" + Text(package, "version"), Needs, StringComparer.Ordinal);
            var chains = Chains(file, packages, needs, Roots(tree, file, packages));
            foreach (var package in packages)
            {
                var (id, version) = (Text(package, "name"), Text(package, "version"));
                if (id.Length == 0 || version.Length == 0 || IsTheProject(package))
                    continue;
                var hashes = HashesOf(package).Distinct(StringComparer.Ordinal).ToList();
                finds.Add(new PackageRef
                {
                    Ecosystem = Ecosystem.Python,
                    Id = id,
                    Version = version,
                    Used = true,
                    Chain = chains.GetValueOrDefault(PythonNames.Normalise(id)) ?? [file, $"{id} {version}"],
                    Expected = hashes,
                    Findings = hashes.Count == 0 ? [new Finding { Rule = "no-integrity", Where = file, Detail = "The lock file records no hash for it." }] : [],
                });
            }
        }
        catch (TomlException failure)
        {
            finds.Project.Add("lock-malformed", file, failure.Message, failure.Line);
        }
        catch (ArgumentException)
        {
            finds.Project.Add("lock-malformed", file, "The same package and version is listed twice.");
        }
    }

    /// <summary>Direct dependencies: of the project's own entry (uv), of pyproject.toml beside the lock, or what nobody else needs.</summary>
    private static HashSet<string> Roots(TreeWalk tree, string file, List<Dictionary<string, object>> packages)
    {
        var roots = packages.Where(IsTheProject).SelectMany(Needs).ToHashSet(StringComparer.Ordinal);
        var project = Path.Combine(Path.GetDirectoryName(tree.Full(file))!, "pyproject.toml");
        if (roots.Count == 0 && File.Exists(project))
            roots.UnionWith(RequirementName().Matches(File.ReadAllText(project)).Select(match => PythonNames.Normalise(match.Groups["name"].Value)));
        if (roots.Count > 0)
            return roots;
        var needed = packages.SelectMany(Needs).ToHashSet(StringComparer.Ordinal);
        return packages.Select(package => PythonNames.Normalise(Text(package, "name"))).Where(name => !needed.Contains(name)).ToHashSet(StringComparer.Ordinal);
    }

    private static Dictionary<string, IReadOnlyList<string>> Chains(
        string file, List<Dictionary<string, object>> packages, Dictionary<string, List<string>> needs, HashSet<string> roots)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var package in packages)
            labels.TryAdd(PythonNames.Normalise(Text(package, "name")), $"{Text(package, "name")} {Text(package, "version")}");
        var byName = needs.GroupBy(entry => entry.Key.Split('@')[0], StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.SelectMany(entry => entry.Value).ToList(), StringComparer.Ordinal);
        var chains = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var open = new Queue<string>();
        foreach (var root in roots.Where(labels.ContainsKey).Order(StringComparer.Ordinal))
        {
            chains[root] = [file, labels[root]];
            open.Enqueue(root);
        }
        while (open.TryDequeue(out var name))
        {
            foreach (var need in byName.GetValueOrDefault(name) ?? [])
            {
                if (labels.TryGetValue(need, out var label) && chains.TryAdd(need, [.. chains[name], label]))
                    open.Enqueue(need);
            }
        }
        return chains;
    }

    private static List<string> Needs(Dictionary<string, object> package)
    {
        var names = package.GetValueOrDefault("dependencies") switch
        {
            Dictionary<string, object> byName => byName.Keys,
            List<object> list => list.Select(item => item is Dictionary<string, object> table ? Text(table, "name") : item.ToString() ?? ""),
            _ => [],
        };
        return [.. names.Select(PythonNames.Normalise)];
    }

    /// <summary>uv lists the project itself, with a path as its source.</summary>
    private static bool IsTheProject(Dictionary<string, object> package) =>
        package.GetValueOrDefault("source") is Dictionary<string, object> source && (source.ContainsKey("virtual") || source.ContainsKey("editable") || source.ContainsKey("directory"));

    private static IEnumerable<string> HashesOf(Dictionary<string, object> package)
    {
        foreach (var kind in new[] { "files", "wheels" })
        {
            foreach (var item in (package.GetValueOrDefault(kind) as List<object> ?? []).OfType<Dictionary<string, object>>())
            {
                if (Text(item, "hash") is { Length: > 0 } hash)
                    yield return hash;
            }
        }
        if (package.GetValueOrDefault("sdist") is Dictionary<string, object> sdist && Text(sdist, "hash") is { Length: > 0 } sdistHash)
            yield return sdistHash;
    }

    private static void ReadRequirements(TreeWalk tree, string file, Finds finds)
    {
        var lines = File.ReadAllText(tree.Full(file)).Split('\n');
        for (var index = 0; index < lines.Length; index++)
        {
            var number = index + 1;
            var line = lines[index].Trim();
            while (line.EndsWith('\\') && index + 1 < lines.Length)
                line = line[..^1] + " " + lines[++index].Trim();
            if (line.Length == 0 || line[0] is '#')
                continue;
            if (line.Contains("http://", StringComparison.OrdinalIgnoreCase))
                finds.Project.Add("source-not-encrypted", file, "Fetched over http.", number, line);
            if (line[0] is '-')
                continue;
            var match = Requirement().Match(line);
            if (!match.Success)
                continue;
            var id = match.Groups["name"].Value;
            if (!match.Groups["version"].Success)
            {
                finds.Project.Add("requirement-not-pinned", file, $"{id} has no exact version.", number, line);
                AddInstalled(id, file, finds);
                continue;
            }
            var hashes = HashOption().Matches(line).Select(hash => hash.Groups["hash"].Value).ToList();
            finds.Add(new PackageRef
            {
                Ecosystem = Ecosystem.Python,
                Id = id,
                Version = match.Groups["version"].Value,
                Used = true,
                Chain = [file, $"{id} {match.Groups["version"].Value}"],
                Expected = hashes,
                Findings = hashes.Count == 0 ? [new Finding { Rule = "no-integrity", Where = file, Line = number, Detail = "The requirement records no hash." }] : [],
            });
        }
    }

    /// <summary>Without a version the installed one is what is used; it is known by name when site-packages are listed.</summary>
    private static void AddInstalled(string id, string file, Finds finds) => finds.WantedByName[PythonNames.Normalise(id)] = [file, id];

    private static void AddWheel(string full, string shown, Finds finds)
    {
        var parts = Path.GetFileNameWithoutExtension(full).Split('-');
        AddArchive(parts.Length >= 2 ? (parts[0], parts[1]) : (parts[0], "0"), PartKind.Wheel, full, shown, finds);
    }

    private static void AddArchive((string Id, string Version) identity, PartKind kind, string full, string shown, Finds finds)
    {
        var known = finds.Find(Ecosystem.Python, identity.Id, identity.Version);
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.Python,
            Id = known?.Id ?? identity.Id,
            Version = identity.Version,
            Used = true,
            Chain = ["(in the tree)", shown],
            Parts = [new PackagePart(kind, full)],
        });
    }

    private static IEnumerable<Dictionary<string, object>> Tables(Dictionary<string, object> table, string name) =>
        (table.GetValueOrDefault(name) as List<object> ?? []).OfType<Dictionary<string, object>>();

    private static string Text(Dictionary<string, object> table, string name) => table.GetValueOrDefault(name) as string ?? "";

    [GeneratedRegex(@"^(?<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:===?\s*(?<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)(?=\s|;|$|,))?", RegexOptions.CultureInvariant)]
    private static partial Regex Requirement();

    [GeneratedRegex(@"--hash[=\s](?<hash>[a-z0-9]+:[0-9a-fA-F]+)", RegexOptions.CultureInvariant)]
    private static partial Regex HashOption();

    [GeneratedRegex(@"(?m)^\s*[""']?(?<name>[A-Za-z0-9][A-Za-z0-9._-]+)[""']?\s*(?:=|[<>=~!\[;""'])", RegexOptions.CultureInvariant)]
    private static partial Regex RequirementName();
}
