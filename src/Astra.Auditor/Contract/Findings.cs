using System.Text.Json.Serialization;

namespace Astra.Auditor;

public enum Severity
{
    [JsonStringEnumMemberName("info")] Info,
    [JsonStringEnumMemberName("low")] Low,
    [JsonStringEnumMemberName("medium")] Medium,
    [JsonStringEnumMemberName("high")] High,
    [JsonStringEnumMemberName("critical")] Critical,
}

/// <summary>What is advised for a package, from its gravest finding that is not allowed. None of these says that a
/// package can be trusted: an audit sees what it looks for.</summary>
public enum Verdict
{
    [JsonStringEnumMemberName("nothing-found")] NothingFound,
    [JsonStringEnumMemberName("notes")] Notes,
    [JsonStringEnumMemberName("review")] Review,
    [JsonStringEnumMemberName("block")] Block,
    [JsonStringEnumMemberName("not-inspected")] NotInspected,
}

/// <summary>One observation. How grave it is, what it means and what to do stand in <see cref="Rules"/>, never here.</summary>
public sealed record Finding
{
    public required string Rule { get; init; }

    /// <summary>File inside the package, or inside the audited tree.</summary>
    public string Where { get; init; } = "";
    public int? Line { get; init; }
    public required string Detail { get; init; }

    /// <summary>A short quotation, control characters escaped.</summary>
    public string? Evidence { get; init; }
}

/// <summary>What is remembered of a package so that the next audit can say what changed.</summary>
public sealed record Fingerprint
{
    /// <summary>Over every path and content, in path order.</summary>
    public string Content { get; init; } = "";

    /// <summary>Files that run without being called: at build, install or start-up.</summary>
    public IReadOnlyList<string> RunsByItself { get; init; } = [];

    /// <summary>`native`, `network`, `process`, `load`, `p/invoke`.</summary>
    public IReadOnlyList<string> Abilities { get; init; } = [];
}

/// <summary>Fingerprints by version; kept between audits under `ecosystem/id`.</summary>
public sealed record PackageMemory
{
    public IReadOnlyDictionary<string, Fingerprint> Versions { get; init; } = new Dictionary<string, Fingerprint>();
}
