namespace Astra.Auditor;

/// <summary>Output of an "inspect" step: what is known of one package.</summary>
public sealed record PackageReport
{
    public required Ecosystem Ecosystem { get; init; }
    public required string Id { get; init; }
    public required string Version { get; init; }
    public required bool Used { get; init; }
    public required IReadOnlyList<string> Chain { get; init; }
    public IReadOnlyList<Finding> Findings { get; init; } = [];
    public int OmittedFindingCount { get; init; }
    public int FileCount { get; init; }
    public long ByteCount { get; init; }
    public Fingerprint? Fingerprint { get; init; }

    /// <summary>Null for a package that no cage has seen: it is not on this machine, or its inspection died.</summary>
    public string? SandboxTier { get; init; }
    public bool IsInspected => Fingerprint is not null;

    public static PackageReport Of(PackageRef package, params IEnumerable<Finding> findings) => new()
    {
        Ecosystem = package.Ecosystem,
        Id = package.Id,
        Version = package.Version,
        Used = package.Used,
        Chain = package.Chain,
        Findings = [.. package.Findings, .. findings],
    };
}

/// <summary>Input of a "join" step: which inspections it waits for, so that one that died still has a name and a chain.</summary>
public sealed record JoinInput(string Artifact, IReadOnlyDictionary<string, PackageRef> PackagesByStep);

public sealed record JoinOutput(string Artifact, int Inspected, int Died);

/// <summary>Input of the "report" step.</summary>
public sealed record ReportInput(string DiscoveryArtifact, IReadOnlyList<string> JoinArtifacts);

/// <summary>The goal's result.</summary>
public sealed record AuditSummary
{
    public required string Path { get; init; }
    public required int PackageCount { get; init; }
    public required int UsedCount { get; init; }
    public required int NotInspectedCount { get; init; }
    public required SeverityCounts Project { get; init; }
    public required SeverityCounts Used { get; init; }
    public required SeverityCounts Others { get; init; }
    public required int AllowedCount { get; init; }

    /// <summary>Whether findings in packages that the project does not use count for the outcome.</summary>
    public required bool OthersCount { get; init; }
    public required string ReportMarkdown { get; init; }
    public required string ReportJson { get; init; }

    /// <summary>The gravest findings, most severe first.</summary>
    public required IReadOnlyList<SummaryRow> Top { get; init; }

    /// <summary>Whether something at or above a severity counts against the audit; an `astra audit` then exits with 2.</summary>
    public bool Fails(Severity failOn) =>
        Project.AtLeast(failOn) + Used.AtLeast(failOn) + (OthersCount ? Others.AtLeast(failOn) : 0) > 0;
}

public sealed record SeverityCounts(int Info, int Low, int Medium, int High, int Critical)
{
    public int AtLeast(Severity severity) =>
        Critical + (severity <= Severity.High ? High : 0) + (severity <= Severity.Medium ? Medium : 0)
        + (severity <= Severity.Low ? Low : 0) + (severity <= Severity.Info ? Info : 0);

    public static SeverityCounts Of(IEnumerable<Finding> findings)
    {
        var counts = new int[5];
        foreach (var finding in findings)
            counts[(int)Rules.Of(finding).Severity]++;
        return new SeverityCounts(counts[0], counts[1], counts[2], counts[3], counts[4]);
    }
}

/// <param name="Package">`ecosystem/id@version`, or `project`.</param>
public sealed record SummaryRow(Severity Severity, string Package, bool Used, string Rule, string Title, string Where, string Detail, string Chain);
