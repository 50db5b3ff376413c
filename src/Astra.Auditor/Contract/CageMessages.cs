using System.Text.Json.Serialization;

namespace Astra.Auditor;

/// <summary>To `discover-packages`. Every path is one inside the cage.</summary>
public sealed record DiscoverRequest
{
    public required string Tree { get; init; }
    public bool Machine { get; init; }
    public IReadOnlyList<string> NuGetFolders { get; init; } = [];
    public string? NpmCache { get; init; }
    public IReadOnlyList<string> SitePackages { get; init; } = [];
    public IReadOnlyList<string> NodeModules { get; init; } = [];
    public string? Dpkg { get; init; }
}

public sealed record DiscoverAnswer
{
    public required IReadOnlyList<PackageRef> Packages { get; init; }

    /// <summary>About the project itself: a lock file that cannot be read, an action that is not pinned.</summary>
    public required IReadOnlyList<Finding> ProjectFindings { get; init; }

    public required IReadOnlyList<AllowEntry> Allowed { get; init; }

    /// <summary>What was left out because a bound was reached, in words.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];
}

/// <summary>One line of the project's allow list.</summary>
/// <param name="Package">`ecosystem/id@version` or `project/file`; `*` stands for any characters.</param>
/// <param name="Rule">A rule's id.</param>
/// <param name="Until">The last day it holds; null holds for good.</param>
/// <param name="Line">Where it stands in the allow-list file.</param>
public sealed record AllowEntry(string Package, string Rule, string Reason, DateOnly? Until, int Line);

/// <summary>To `inspect-package`. Every path is one inside the cage.</summary>
public sealed record InspectRequest
{
    public required Ecosystem Ecosystem { get; init; }
    public required string Id { get; init; }
    public required string Version { get; init; }
    public IReadOnlyList<string> Expected { get; init; } = [];
    public required IReadOnlyList<PackagePart> Parts { get; init; }
}

public sealed record InspectAnswer
{
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>Findings of a rule beyond the first few are counted, not listed.</summary>
    public int OmittedFindingCount { get; init; }
    public int FileCount { get; init; }
    public long ByteCount { get; init; }
    public Fingerprint Fingerprint { get; init; } = new();
}

/// <summary>JSON at the wall of the cage. Generated code, because the cage is entered once per package and reflection
/// over these types would cost more than reading most packages.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DiscoverRequest))]
[JsonSerializable(typeof(DiscoverAnswer))]
[JsonSerializable(typeof(InspectRequest))]
[JsonSerializable(typeof(InspectAnswer))]
public sealed partial class CageJson : JsonSerializerContext;
