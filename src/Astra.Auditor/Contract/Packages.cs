using System.Text.Json.Serialization;

namespace Astra.Auditor;

public enum Ecosystem
{
    [JsonStringEnumMemberName("nuget")] NuGet,
    [JsonStringEnumMemberName("npm")] Npm,
    [JsonStringEnumMemberName("python")] Python,
    [JsonStringEnumMemberName("dpkg")] Dpkg,
}

/// <summary>In which form a piece of a package lies on disk; the inspector reads each form its own way.</summary>
public enum PartKind
{
    /// <summary>`id/version` of a NuGet packages folder: the archive and what was extracted from it, side by side.</summary>
    [JsonStringEnumMemberName("nugetFolder")] NuGetFolder,
    [JsonStringEnumMemberName("nugetArchive")] NuGetArchive,
    [JsonStringEnumMemberName("npmArchive")] NpmArchive,
    [JsonStringEnumMemberName("npmFolder")] NpmFolder,
    [JsonStringEnumMemberName("wheel")] Wheel,
    [JsonStringEnumMemberName("sourceArchive")] SourceArchive,

    /// <summary>One top-level file or directory of a site-packages directory; keeps its name inside the cage.</summary>
    [JsonStringEnumMemberName("siteEntry")] SiteEntry,

    /// <summary>One file of dpkg's `info` directory: a maintainer script or the checksums; keeps its name inside the cage.</summary>
    [JsonStringEnumMemberName("dpkgInfo")] DpkgInfo,

    /// <summary>A top-level directory that Debian packages install into; keeps its name inside the cage.</summary>
    [JsonStringEnumMemberName("dpkgRoot")] DpkgRoot,
}

/// <param name="Path">As the cage of the moment sees it; the agent translates to host paths and back.</param>
public sealed record PackagePart(PartKind Kind, string Path);

/// <summary>A package that discovery found: what it is, who wants it, what it must hash to, where it lies.</summary>
public sealed record PackageRef
{
    public required Ecosystem Ecosystem { get; init; }
    public required string Id { get; init; }
    public required string Version { get; init; }

    /// <summary>The project uses it, directly or through another package.</summary>
    public required bool Used { get; init; }

    /// <summary>The shortest way from a file of the project (or the cache it was found in) to this package.</summary>
    public required IReadOnlyList<string> Chain { get; init; }

    /// <summary>What lock files say its bytes must hash to: `contentHash:…`, `sha512-…`, `sha256:…`.</summary>
    public IReadOnlyList<string> Expected { get; init; } = [];

    public IReadOnlyList<PackagePart> Parts { get; init; } = [];

    /// <summary>What only discovery could see, such as an address without encryption in a lock file.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    [JsonIgnore]
    public string Name => NameOf(Ecosystem, Id) + "@" + Version;

    public static string NameOf(Ecosystem ecosystem, string id) => WordOf(ecosystem) + "/" + id;

    public static string WordOf(Ecosystem ecosystem) => ecosystem switch
    {
        Ecosystem.NuGet => "nuget",
        Ecosystem.Npm => "npm",
        Ecosystem.Python => "python",
        _ => "dpkg",
    };
}
