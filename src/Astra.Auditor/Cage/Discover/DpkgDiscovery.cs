namespace Astra.Auditor.Cage.Discover;

/// <summary>dpkg's database: installed packages, their checksums and maintainer scripts.</summary>
internal static class DpkgDiscovery
{
    private static readonly string[] InfoFiles = ["md5sums", "preinst", "postinst", "prerm", "postrm", "config"];

    public static void Discover(DiscoverRequest request, Finds finds)
    {
        if (request.Dpkg is null || !request.Machine)
            return;
        var status = Path.Combine(request.Dpkg, "status");
        if (!File.Exists(status))
            return;
        foreach (var paragraph in File.ReadAllText(status).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = Fields(paragraph);
            if (!fields.TryGetValue("Package", out var id) || !fields.TryGetValue("Version", out var version) || !fields.GetValueOrDefault("Status", "").EndsWith(" installed", StringComparison.Ordinal))
                continue;
            var parts = InfoPaths(request.Dpkg, id, fields.GetValueOrDefault("Architecture", "")).Select(path => new PackagePart(PartKind.DpkgInfo, path)).ToList();
            if (parts.Count == 0)
                continue;
            // The agent mounts those of the roots that this machine has.
            parts.Add(new PackagePart(PartKind.DpkgRoot, "/audit/root/usr"));
            parts.Add(new PackagePart(PartKind.DpkgRoot, "/audit/root/opt"));
            finds.Add(new PackageRef { Ecosystem = Ecosystem.Dpkg, Id = id, Version = version, Used = false, Chain = ["dpkg", $"{id} {version}"], Parts = parts });
        }
    }

    private static IEnumerable<string> InfoPaths(string dpkg, string id, string architecture)
    {
        // A name with a separator in it would lead elsewhere.
        if (id.AsSpan().ContainsAny("/\\"))
            yield break;
        foreach (var name in InfoFiles)
        {
            foreach (var candidate in new[] { $"{id}.{name}", $"{id}:{architecture}.{name}" })
            {
                var path = Path.Combine(dpkg, "info", candidate);
                if (File.Exists(path))
                    yield return path;
            }
        }
    }

    private static Dictionary<string, string> Fields(string paragraph)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in paragraph.Split('\n'))
        {
            var colon = line.IndexOf(':');
            if (colon > 0 && !char.IsWhiteSpace(line[0]))
                fields[line[..colon]] = line[(colon + 1)..].Trim();
        }
        return fields;
    }
}
