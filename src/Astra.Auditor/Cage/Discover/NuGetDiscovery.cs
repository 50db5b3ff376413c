using System.Text.Json;
using System.Xml;
using System.Xml.Linq;

namespace Astra.Auditor.Cage.Discover;

/// <summary>NuGet: lock files, restored graphs and project files for what is used; packages folders for where it lies.</summary>
internal static class NuGetDiscovery
{
    private const int FileSizeMax = 64 << 20;

    public static void Discover(TreeWalk tree, DiscoverRequest request, Finds finds)
    {
        var locked = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in tree.Files.Where(file => Path.GetFileName(file) is "packages.lock.json" || file.EndsWith(".packages.lock.json", StringComparison.Ordinal)))
        {
            locked.Add(DirectoryOf(file));
            ReadGraph(tree, file, finds, ReadLock);
        }
        foreach (var file in tree.Files.Where(file => file.EndsWith("obj/project.assets.json", StringComparison.Ordinal)))
        {
            var project = DirectoryOf(DirectoryOf(file));
            if (!locked.Contains(project) && locked.Add(project))
                ReadGraph(tree, file, finds, ReadAssets);
        }
        ReadProjects(tree, locked, finds);
        foreach (var folder in tree.NuGetFolders)
            AddFolder(tree.Full(folder), folder, used: true, ["(in the tree)", folder], finds);
        foreach (var file in tree.Files.Where(file => file.EndsWith(".nupkg", StringComparison.OrdinalIgnoreCase)))
            AddArchive(tree.Full(file), file, finds);
        foreach (var cache in request.NuGetFolders)
            ReadCache(cache, finds);
    }

    private static void ReadGraph(TreeWalk tree, string file, Finds finds, Action<JsonElement, string, Finds> read)
    {
        try
        {
            using var document = JsonFiles.Parse(tree.Full(file), FileSizeMax);
            read(document.RootElement, file, finds);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or KeyNotFoundException or IOException or FormatException)
        {
            finds.Project.Add("lock-malformed", file, failure.Message, JsonFiles.LineOf(failure));
        }
    }

    private static void ReadLock(JsonElement root, string file, Finds finds)
    {
        foreach (var framework in root.GetProperty("dependencies").EnumerateObject())
        {
            var nodes = new Dictionary<string, LockedNode>(StringComparer.OrdinalIgnoreCase);
            foreach (var entry in framework.Value.EnumerateObject())
            {
                var type = JsonFiles.Text(entry.Value, "type") ?? "";
                var needs = entry.Value.TryGetProperty("dependencies", out var dependencies) ? dependencies.EnumerateObject().Select(dependency => dependency.Name).ToList() : [];
                nodes[entry.Name] = new LockedNode(
                    entry.Name, JsonFiles.Text(entry.Value, "resolved") ?? "", IsRoot: type is "Direct" or "Project" or "CentralTransitive",
                    IsPackage: type != "Project", JsonFiles.Text(entry.Value, "contentHash"), needs);
            }
            AddNodes(nodes, file, hashRule: true, finds);
        }
    }

    private static void ReadAssets(JsonElement root, string file, Finds finds)
    {
        var libraries = root.GetProperty("libraries");
        var direct = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var framework in root.GetProperty("project").GetProperty("frameworks").EnumerateObject())
        {
            if (framework.Value.TryGetProperty("dependencies", out var dependencies))
                direct.UnionWith(dependencies.EnumerateObject().Select(dependency => dependency.Name));
        }
        foreach (var target in root.GetProperty("targets").EnumerateObject())
        {
            var nodes = new Dictionary<string, LockedNode>(StringComparer.OrdinalIgnoreCase);
            foreach (var entry in target.Value.EnumerateObject())
            {
                var slash = entry.Name.IndexOf('/');
                if (slash < 0)
                    continue;
                var isPackage = JsonFiles.Text(entry.Value, "type") == "package";
                var needs = entry.Value.TryGetProperty("dependencies", out var dependencies) ? dependencies.EnumerateObject().Select(dependency => dependency.Name).ToList() : [];
                var hash = libraries.TryGetProperty(entry.Name, out var library) ? JsonFiles.Text(library, "sha512") : null;
                nodes[entry.Name[..slash]] = new LockedNode(entry.Name[..slash], entry.Name[(slash + 1)..], !isPackage || direct.Contains(entry.Name[..slash]), isPackage, hash, needs);
            }
            AddNodes(nodes, file, hashRule: false, finds);
        }
    }

    /// <summary>Breadth first from the direct dependencies, so that the chain kept is the shortest.</summary>
    private static void AddNodes(Dictionary<string, LockedNode> nodes, string file, bool hashRule, Finds finds)
    {
        var chains = new Dictionary<string, IReadOnlyList<string>>(StringComparer.OrdinalIgnoreCase);
        var open = new Queue<LockedNode>();
        foreach (var root in nodes.Values.Where(node => node.IsRoot))
        {
            chains[root.Id] = [file, root.Label];
            open.Enqueue(root);
        }
        while (open.TryDequeue(out var node))
        {
            foreach (var need in node.Needs)
            {
                if (nodes.TryGetValue(need, out var next) && chains.TryAdd(next.Id, [.. chains[node.Id], next.Label]))
                    open.Enqueue(next);
            }
        }
        foreach (var node in nodes.Values.Where(node => node.IsPackage && node.Version.Length > 0))
        {
            finds.Add(new PackageRef
            {
                Ecosystem = Ecosystem.NuGet,
                Id = node.Id,
                Version = node.Version,
                Used = true,
                Chain = chains.GetValueOrDefault(node.Id) ?? [file, node.Label],
                Expected = node.Hash is null ? [] : ["contentHash:" + node.Hash],
                Findings = node.Hash is null && hashRule ? [new Finding { Rule = "no-integrity", Where = file, Detail = "The lock file records no contentHash for it." }] : [],
            });
        }
    }

    /// <summary>Project files without a restored graph: only what they name themselves can be known.</summary>
    private static void ReadProjects(TreeWalk tree, HashSet<string> locked, Finds finds)
    {
        var central = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var file in tree.Files.Where(file => Path.GetFileName(file) == "Directory.Packages.props"))
        {
            foreach (var element in Elements(tree, file, finds, "PackageVersion"))
                central.TryAdd(Attribute(element, "Include"), Attribute(element, "Version"));
        }
        foreach (var file in tree.Files.Where(file => Path.GetExtension(file) is ".csproj" or ".fsproj" or ".vbproj"))
        {
            if (locked.Contains(DirectoryOf(file)))
                continue;
            var references = Elements(tree, file, finds, "PackageReference").ToList();
            if (references.Count > 0)
                finds.Project.Add("lock-missing", file, "Packages are referenced without packages.lock.json.");
            foreach (var reference in references)
            {
                var id = Attribute(reference, "Include");
                var version = Attribute(reference, "Version") is { Length: > 0 } own ? own : Attribute(reference, "VersionOverride");
                if (version.Length == 0)
                    version = reference.Elements().FirstOrDefault(child => child.Name.LocalName == "Version")?.Value ?? central.GetValueOrDefault(id) ?? "";
                version = version.Trim('[', ']', ' ');
                if (id.Length == 0 || version.Length == 0 || version.AsSpan().ContainsAny("*,($"))
                    continue;
                finds.Add(new PackageRef { Ecosystem = Ecosystem.NuGet, Id = id, Version = version, Used = true, Chain = [file, $"{id} {version}"] });
            }
        }
        foreach (var file in tree.Files.Where(file => Path.GetFileName(file) == "packages.config"))
        {
            foreach (var element in Elements(tree, file, finds, "package"))
            {
                var (id, version) = (Attribute(element, "id"), Attribute(element, "version"));
                if (id.Length > 0 && version.Length > 0)
                    finds.Add(new PackageRef { Ecosystem = Ecosystem.NuGet, Id = id, Version = version, Used = true, Chain = [file, $"{id} {version}"] });
            }
        }
    }

    private static IEnumerable<XElement> Elements(TreeWalk tree, string file, Finds finds, string name)
    {
        try
        {
            using var reader = XmlReader.Create(tree.Full(file), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, MaxCharactersInDocument = 16 << 20 });
            return [.. XDocument.Load(reader).Descendants().Where(element => element.Name.LocalName == name)];
        }
        catch (XmlException failure)
        {
            finds.Project.Add("project-file-malformed", file, failure.Message, failure.LineNumber);
            return [];
        }
    }

    private static void ReadCache(string cache, Finds finds)
    {
        foreach (var id in Directories(cache))
        {
            foreach (var folder in Directories(id))
            {
                var version = Path.GetFileName(folder);
                if (Directory.EnumerateFiles(folder, "*.nupkg*").Any())
                    AddPart(Path.GetFileName(id), version, PartKind.NuGetFolder, folder, used: false, ["NuGet packages folder"], finds);
            }
        }
    }

    private static void AddFolder(string full, string shown, bool used, IReadOnlyList<string> chain, Finds finds)
    {
        var archive = Directory.GetFiles(full, "*.nupkg").Order(StringComparer.Ordinal).FirstOrDefault();
        var (id, version) = archive is null ? (Path.GetFileName(shown), "0") : NuspecIdentity.Of(archive);
        AddPart(id, version, PartKind.NuGetFolder, full, used, chain, finds);
    }

    private static void AddArchive(string full, string shown, Finds finds)
    {
        var (id, version) = NuspecIdentity.Of(full);
        AddPart(id, version, PartKind.NuGetArchive, full, used: true, ["(in the tree)", shown], finds);
    }

    private static void AddPart(string id, string version, PartKind kind, string path, bool used, IReadOnlyList<string> chain, Finds finds)
    {
        var known = finds.Find(Ecosystem.NuGet, id, version);
        finds.Add(new PackageRef
        {
            Ecosystem = Ecosystem.NuGet,
            Id = known?.Id ?? id,
            Version = known?.Version ?? version,
            Used = used,
            Chain = chain,
            Parts = [new PackagePart(kind, path)],
        });
    }

    private static string[] Directories(string folder) =>
        [.. Directory.GetDirectories(folder).Where(child => new DirectoryInfo(child).LinkTarget is null).Order(StringComparer.Ordinal)];

    private static string Attribute(XElement element, string name) =>
        element.Attributes().FirstOrDefault(attribute => attribute.Name.LocalName.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value.Trim() ?? "";

    private static string DirectoryOf(string file) => Path.GetDirectoryName(file)?.Replace('\\', '/') ?? "";

    private sealed record LockedNode(string Id, string Version, bool IsRoot, bool IsPackage, string? Hash, IReadOnlyList<string> Needs)
    {
        public string Label => $"{Id} {Version}".TrimEnd();
    }
}
