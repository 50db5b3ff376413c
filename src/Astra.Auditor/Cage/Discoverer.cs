using System.Text.Json;
using Astra.Auditor.Cage.Discover;

namespace Astra.Auditor.Cage;

/// <summary>The tool `audit-discover`: reads lock files, project files and the listings of caches, and answers which
/// packages there are. Runs inside the cage, because every file it parses was written by somebody else.</summary>
public static class Discoverer
{
    /// <summary>One JSON request in, one JSON answer out.</summary>
    public static int Main(Stream input, Stream output)
    {
        var request = JsonSerializer.Deserialize(input, CageJson.Default.DiscoverRequest)
            ?? throw new JsonException("The request is empty.");
        JsonSerializer.Serialize(output, Discover(request), CageJson.Default.DiscoverAnswer);
        return 0;
    }

    public static DiscoverAnswer Discover(DiscoverRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var finds = new Finds();
        string[] caches = [.. request.NuGetFolders, .. request.SitePackages, .. request.NodeModules];
        var tree = TreeWalk.Of(request.Tree, caches);
        if (tree.IsCutShort)
            finds.LeftOut.Add("The tree holds more files than one audit reads; audit its parts.");
        NuGetDiscovery.Discover(tree, request, finds);
        NpmDiscovery.Discover(tree, request, finds);
        PythonDiscovery.Discover(tree, request, finds);
        DpkgDiscovery.Discover(request, finds);
        PinChecks.Check(tree, finds);
        AllowListFile.Read(request.Tree, finds);
        return finds.Answer();
    }
}
