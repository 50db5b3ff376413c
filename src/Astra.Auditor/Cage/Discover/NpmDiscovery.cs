using System.Text.Json;

namespace Astra.Auditor.Cage.Discover;

/// <summary>npm: package-lock.json for what is used, node_modules for what is installed, the cache's index for tarballs.</summary>
internal static class NpmDiscovery
{
    private const int LockSizeMax = 128 << 20;
    private const int NestingMax = 32;

    public static void Discover(TreeWalk tree, DiscoverRequest request, Finds finds)
    {
        var locked = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in tree.Files.Where(file => Path.GetFileName(file) is "package-lock.json" or "npm-shrinkwrap.json"))
        {
            locked.Add(Path.GetDirectoryName(file) ?? "");
            ReadLock(tree.Full(file), file, finds);
        }
        foreach (var file in tree.Files.Where(file => Path.GetFileName(file) == "package.json"))
        {
            if (!locked.Contains(Path.GetDirectoryName(file) ?? "") && NamesDependencies(tree.Full(file), file, finds) && !IsBelowAny(file, locked))
                finds.Project.Add("lock-missing", file, "Dependencies without package-lock.json.");
        }
        foreach (var folder in tree.NodeModules)
            ReadNodeModules(tree.Full(folder), used: true, ["(in the tree)", folder], finds, depth: 0);
        foreach (var file in tree.Files.Where(file => file.EndsWith(".tgz", StringComparison.OrdinalIgnoreCase)))
            AddArchive(tree.Full(file), file, finds);
        if (request.Machine)
        {
            foreach (var folder in request.NodeModules)
                ReadNodeModules(folder, used: false, ["global node_modules"], finds, depth: 0);
        }
        if (request.NpmCache is not null)
            NpmCacheIndex.Read(request.NpmCache, request.Machine, finds);
    }

    private static void ReadLock(string full, string file, Finds finds)
    {
        try
        {
            using var document = JsonFiles.Parse(full, LockSizeMax);
            var nodes = new Dictionary<string, LockedNode>(StringComparer.Ordinal);
            if (document.RootElement.TryGetProperty("packages", out var packages))
                ReadFlat(packages, nodes);
            else if (document.RootElement.ValueKind == JsonValueKind.Object)
                ReadNested(document.RootElement, "", nodes, depth: 0);
            else
                throw new FormatException("Not a lock file.");
            AddNodes(nodes, file, finds);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or KeyNotFoundException or IOException or FormatException)
        {
            finds.Project.Add("lock-malformed", file, failure.Message, JsonFiles.LineOf(failure));
        }
    }

    /// <summary>Versions 2 and 3: a flat object from folder to package.</summary>
    private static void ReadFlat(JsonElement packages, Dictionary<string, LockedNode> nodes)
    {
        foreach (var entry in packages.EnumerateObject())
        {
            if (entry.Value.TryGetProperty("link", out var link) && link.ValueKind == JsonValueKind.True)
                continue;
            var needs = new[] { "dependencies", "optionalDependencies", "devDependencies", "peerDependencies" }
                .Where(kind => kind != "devDependencies" || !entry.Name.Contains("node_modules/", StringComparison.Ordinal))
                .SelectMany(kind => JsonFiles.Properties(entry.Value, kind)).Select(dependency => dependency.Name).ToList();
            nodes[entry.Name] = NodeOf(entry.Name, entry.Value, needs);
        }
    }

    /// <summary>Version 1: packages nested in packages. The top level counts as direct, for nothing else says what is.</summary>
    private static void ReadNested(JsonElement parent, string folder, Dictionary<string, LockedNode> nodes, int depth)
    {
        if (depth > NestingMax)
            throw new FormatException("Nested too deeply.");
        if (depth == 0)
            nodes[""] = new LockedNode("", "", "", null, null, [.. JsonFiles.Properties(parent, "dependencies").Select(dependency => dependency.Name)]);
        foreach (var entry in JsonFiles.Properties(parent, "dependencies"))
        {
            var path = (folder.Length == 0 ? "" : folder + "/") + "node_modules/" + entry.Name;
            nodes[path] = NodeOf(path, entry.Value, [.. JsonFiles.Properties(entry.Value, "requires").Select(need => need.Name)]);
            ReadNested(entry.Value, path, nodes, depth + 1);
        }
    }

    private static LockedNode NodeOf(string path, JsonElement entry, IReadOnlyList<string> needs)
    {
        var at = path.LastIndexOf("node_modules/", StringComparison.Ordinal);
        var id = JsonFiles.Text(entry, "name") ?? (at < 0 ? "" : path[(at + "node_modules/".Length)..]);
        return new LockedNode(path, at < 0 ? "" : id, JsonFiles.Text(entry, "version") ?? "", JsonFiles.Text(entry, "integrity"), JsonFiles.Text(entry, "resolved"), needs);
    }

    private static void AddNodes(Dictionary<string, LockedNode> nodes, string file, Finds finds)
    {
        var chains = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        var open = new Queue<LockedNode>();
        // The root and workspaces are not packages; everything starts from them.
        foreach (var root in nodes.Values.Where(node => node.Id.Length == 0))
        {
            chains[root.Path] = [file];
            open.Enqueue(root);
        }
        while (open.TryDequeue(out var node))
        {
            foreach (var need in node.Needs)
            {
                if (Resolve(nodes, node.Path, need) is { } next && chains.TryAdd(next.Path, [.. chains[node.Path], $"{next.Id} {next.Version}"]))
                    open.Enqueue(next);
            }
        }
        foreach (var node in nodes.Values.Where(node => node.Id.Length > 0 && node.Version.Length > 0))
        {
            finds.Add(new PackageRef
            {
                Ecosystem = Ecosystem.Npm,
                Id = node.Id,
                Version = node.Version,
                Used = true,
                Chain = chains.GetValueOrDefault(node.Path) ?? [file, $"{node.Id} {node.Version}"],
                Expected = node.Integrity is null ? [] : [.. node.Integrity.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
                Findings = [.. SourceFindings(node, file)],
            });
        }
    }

    private static IEnumerable<Finding> SourceFindings(LockedNode node, string file)
    {
        if (node.Resolved is null)
            yield break;
        if (node.Resolved.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            yield return new Finding { Rule = "source-not-encrypted", Where = file, Detail = $"Resolved from {Shorten(node.Resolved)}." };
        else if (node.Resolved.StartsWith("git", StringComparison.OrdinalIgnoreCase) || node.Resolved.Contains("github.com/", StringComparison.OrdinalIgnoreCase))
            yield return new Finding { Rule = "source-not-registry", Where = file, Detail = $"Resolved from {Shorten(node.Resolved)}." };
        if (node.Integrity is null && !node.Resolved.StartsWith("file:", StringComparison.Ordinal))
            yield return new Finding { Rule = "no-integrity", Where = file, Detail = "The lock file records no integrity for it." };
    }

    /// <summary>Node's rule: the nearest node_modules upwards.</summary>
    private static LockedNode? Resolve(Dictionary<string, LockedNode> nodes, string from, string id)
    {
        for (var folder = from; ;)
        {
            if (nodes.TryGetValue((folder.Length == 0 ? "" : folder + "/") + "node_modules/" + id, out var node))
                return node;
            if (folder.Length == 0)
                return null;
            var at = folder.LastIndexOf("/node_modules/", StringComparison.Ordinal);
            folder = at < 0 ? "" : folder[..at];
        }
    }

    private static void ReadNodeModules(string folder, bool used, IReadOnlyList<string> chain, Finds finds, int depth)
    {
        if (depth > NestingMax)
            return;
        foreach (var child in Children(folder))
        {
            var name = Path.GetFileName(child);
            if (name.StartsWith('@'))
            {
                foreach (var scoped in Children(child))
                    AddFolder(scoped, name + "/" + Path.GetFileName(scoped), used, chain, finds, depth);
            }
            else if (name == ".pnpm")
            {
                foreach (var store in Children(child))
                    ReadNodeModules(Path.Combine(store, "node_modules"), used, chain, finds, depth + 1);
            }
            else if (!name.StartsWith('.'))
            {
                AddFolder(child, name, used, chain, finds, depth);
            }
        }
    }

    private static void AddFolder(string folder, string name, bool used, IReadOnlyList<string> chain, Finds finds, int depth)
    {
        var version = "0";
        var manifest = Path.Combine(folder, "package.json");
        if (!File.Exists(manifest) && !Directory.EnumerateFiles(folder).Any())
            return;
        try
        {
            if (File.Exists(manifest))
            {
                using var document = JsonFiles.Parse(manifest, 16 << 20);
                version = JsonFiles.Text(document.RootElement, "version") ?? version;
            }
        }
        catch (Exception failure) when (failure is JsonException or FormatException or IOException)
        {
            // The inspector reads the same file and reports what is wrong with it.
        }
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.Npm,
            Id = name,
            Version = version.Length is > 0 and < 80 ? version : "0",
            Used = used,
            Chain = [.. chain, $"{name} {version}"],
            Parts = [new PackagePart(PartKind.NpmFolder, folder)],
        });
        ReadNodeModules(Path.Combine(folder, "node_modules"), used, [.. chain, $"{name} {version}"], finds, depth + 1);
    }

    private static void AddArchive(string full, string shown, Finds finds)
    {
        var (id, version) = TarIdentity.OfNpm(full) ?? (Path.GetFileNameWithoutExtension(full), "0");
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.Npm,
            Id = id,
            Version = version,
            Used = true,
            Chain = ["(in the tree)", shown],
            Parts = [new PackagePart(PartKind.NpmArchive, full)],
        });
    }

    private static bool NamesDependencies(string full, string file, Finds finds)
    {
        try
        {
            using var document = JsonFiles.Parse(full, 16 << 20);
            return JsonFiles.Properties(document.RootElement, "dependencies").Any() || JsonFiles.Properties(document.RootElement, "devDependencies").Any();
        }
        catch (Exception failure) when (failure is JsonException or FormatException or IOException)
        {
            finds.Project.Add("project-file-malformed", file, failure.Message, JsonFiles.LineOf(failure));
            return false;
        }
    }

    /// <summary>A workspace's lock file lies in a directory above.</summary>
    private static bool IsBelowAny(string file, HashSet<string> folders) =>
        folders.Any(folder => folder.Length == 0 || file.StartsWith(folder + "/", StringComparison.Ordinal));

    private static IEnumerable<string> Children(string folder) =>
        Directory.Exists(folder) && new DirectoryInfo(folder).LinkTarget is null
            ? Directory.GetDirectories(folder).Where(child => new DirectoryInfo(child).LinkTarget is null).Order(StringComparer.Ordinal) : [];

    private static string Shorten(string text) => text.Length <= 120 ? text : text[..120];

    private sealed record LockedNode(string Path, string Id, string Version, string? Integrity, string? Resolved, IReadOnlyList<string> Needs);
}
