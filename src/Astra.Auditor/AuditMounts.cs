using Astra.Sdk;

namespace Astra.Auditor;

/// <summary>
/// Translates between the host's paths and the ones inside a cage. What comes back from discovery was derived from
/// files written by strangers, so a path is mounted only if it lies under a place of this audit and no link leads out
/// of it: otherwise a package could have the host's secrets mounted as its own content.
/// </summary>
internal sealed class AuditMounts
{
    private const string Tree = "/audit/tree";
    private const string Dpkg = "/audit/dpkg";

    private readonly List<ToolMount> _places = [];

    public AuditMounts(AuditRequest request)
    {
        var places = request.Places;
        _places.Add(new ToolMount(request.Path, Tree));
        Request = new DiscoverRequest
        {
            Tree = Tree,
            Machine = request.Machine,
            NuGetFolders = AddAll(places.NuGetFolders, "/audit/nuget/"),
            NpmCache = places.NpmCache is null ? null : AddAll([places.NpmCache], "/audit/npm-cache/")[0],
            SitePackages = AddAll(places.SitePackages, "/audit/site/"),
            NodeModules = AddAll(places.NodeModules, "/audit/node/"),
            Dpkg = request.Machine && places.Dpkg is not null ? Dpkg : null,
        };
        if (Request.Dpkg is not null)
            _places.Add(new ToolMount(places.Dpkg!, Dpkg));
        DiscoveryMounts = [.. _places];
        if (Request.Dpkg is not null)
            _places.AddRange(places.DpkgRoots.Select(root => new ToolMount(root, "/audit/root/" + Path.GetFileName(root))));
    }

    public DiscoverRequest Request { get; }

    public IReadOnlyList<ToolMount> DiscoveryMounts { get; }

    /// <summary>The parts of one package as its own cage sees them, and the mounts that make it so.</summary>
    /// <exception cref="PermanentFailureException">A part lies outside the places of this audit.</exception>
    public (IReadOnlyList<PackagePart> Parts, IReadOnlyList<ToolMount> Mounts) ForInspection(PackageRef package)
    {
        var parts = new List<PackagePart>();
        var mounts = new List<ToolMount>();
        foreach (var part in package.Parts)
        {
            if (part.Kind == PartKind.DpkgRoot && !_places.Exists(place => place.InsidePath == part.Path))
                continue;
            var name = Path.GetFileName(part.Path);
            var inside = part.Kind switch
            {
                PartKind.SiteEntry => "/package/site/" + name,
                PartKind.DpkgInfo => "/package/info/" + name,
                PartKind.DpkgRoot => "/package/root/" + name,
                PartKind.NuGetFolder or PartKind.NpmFolder => $"/package/{parts.Count}",
                _ => $"/package/{parts.Count}/{name}",
            };
            parts.Add(part with { Path = inside });
            mounts.Add(new ToolMount(HostPathOf(part.Path), inside));
        }
        return (parts, mounts);
    }

    private string HostPathOf(string inside)
    {
        foreach (var place in _places)
        {
            if (inside != place.InsidePath && !inside.StartsWith(place.InsidePath + "/", StringComparison.Ordinal))
                continue;
            var host = place.HostPath;
            foreach (var name in inside[place.InsidePath.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                if (name is "." or ".." || name.Contains('\\') || name.Contains('\0'))
                    throw new PermanentFailureException($"'{inside}' is not a path that is mounted.");
                host = Path.Combine(host, name);
                if (new DirectoryInfo(host).LinkTarget is not null)
                    throw new PermanentFailureException($"'{inside}' leads through a link, which is not followed.");
            }
            return host;
        }
        throw new PermanentFailureException($"'{inside}' lies outside the places of this audit.");
    }

    private List<string> AddAll(IReadOnlyList<string> hostPaths, string prefix)
    {
        var inside = new List<string>();
        foreach (var host in hostPaths)
        {
            inside.Add(prefix + inside.Count);
            _places.Add(new ToolMount(host, inside[^1]));
        }
        return inside;
    }
}
