namespace Astra.Auditor.Report;

/// <summary>A finding as it is reported: with its rule, its chain, and the allow-list entry that covers it, if one does.</summary>
internal sealed record ReportedFinding(Finding Finding, Rule Rule, AllowEntry? Allowed);

internal sealed record ReportedPackage(PackageReport Package, IReadOnlyList<ReportedFinding> Findings, Verdict Verdict)
{
    public string Name => PackageRef.NameOf(Package.Ecosystem, Package.Id) + "@" + Package.Version;
    public IEnumerable<Finding> Open => Findings.Where(finding => finding.Allowed is null).Select(finding => finding.Finding);
}

/// <summary>Everything the two report files say, in their order. The same inputs give the same report: there is no time,
/// path of a cage or order of arrival in it.</summary>
internal sealed record AuditReport
{
    private const int TopCountMax = 20;

    public required AuditRequest Request { get; init; }
    public required IReadOnlyList<ReportedFinding> Project { get; init; }
    public required IReadOnlyList<ReportedPackage> Used { get; init; }
    public required IReadOnlyList<ReportedPackage> Others { get; init; }
    public required IReadOnlyList<string> LeftOut { get; init; }

    public static AuditReport Of(AuditRequest request, DiscoverAnswer discovery, IEnumerable<PackageReport> packages, DateOnly today)
    {
        var allowList = new AllowList(discovery.Allowed, today);
        var reported = packages
            .OrderBy(package => package.Ecosystem).ThenBy(package => package.Id, StringComparer.Ordinal).ThenBy(package => package.Version, StringComparer.Ordinal)
            .Select(package => Report(package, allowList)).ToList();
        var project = discovery.ProjectFindings.Select(finding => Report("project/" + finding.Where, finding, allowList)).ToList();
        // Last, because only now is it known which entries covered something.
        project.AddRange(allowList.Findings().Select(finding => new ReportedFinding(finding, Rules.Of(finding), Allowed: null)));
        return new AuditReport
        {
            Request = request,
            Project = InOrder(project),
            Used = [.. reported.Where(package => package.Package.Used)],
            Others = [.. reported.Where(package => !package.Package.Used)],
            LeftOut = discovery.LeftOut,
        };
    }

    public AuditSummary Summarise(string markdownPath, string jsonPath) => new()
    {
        Path = Request.Path,
        PackageCount = Used.Count + Others.Count,
        UsedCount = Used.Count,
        NotInspectedCount = Used.Concat(Others).Count(package => !package.Package.IsInspected),
        Project = SeverityCounts.Of(Open(Project)),
        Used = SeverityCounts.Of(Used.SelectMany(package => package.Open)),
        Others = SeverityCounts.Of(Others.SelectMany(package => package.Open)),
        AllowedCount = Project.Concat(Used.Concat(Others).SelectMany(package => package.Findings)).Count(finding => finding.Allowed is not null),
        OthersCount = Request.Machine,
        ReportMarkdown = markdownPath,
        ReportJson = jsonPath,
        Top = Top(),
    };

    private static ReportedPackage Report(PackageReport package, AllowList allowList)
    {
        var name = PackageRef.NameOf(package.Ecosystem, package.Id) + "@" + package.Version;
        var findings = InOrder(package.Findings.Select(finding => Report(name, finding, allowList)));
        var open = findings.Where(finding => finding.Allowed is null).Select(finding => finding.Finding).ToList();
        return new ReportedPackage(package, findings, package.IsInspected ? Rules.VerdictOf(open) : Verdict.NotInspected);
    }

    private static ReportedFinding Report(string name, Finding finding, AllowList allowList) =>
        new(finding, Rules.Of(finding), allowList.Covering(name, finding.Rule));

    private static List<ReportedFinding> InOrder(IEnumerable<ReportedFinding> findings) =>
        [.. findings.OrderByDescending(finding => finding.Rule.Severity).ThenBy(finding => finding.Rule.Id, StringComparer.Ordinal)
            .ThenBy(finding => finding.Finding.Where, StringComparer.Ordinal).ThenBy(finding => finding.Finding.Line).ThenBy(finding => finding.Finding.Detail, StringComparer.Ordinal)];

    private static IEnumerable<Finding> Open(IEnumerable<ReportedFinding> findings) =>
        findings.Where(finding => finding.Allowed is null).Select(finding => finding.Finding);

    private List<SummaryRow> Top()
    {
        var rows = Open(Project).Select(finding => Row("project", used: true, finding, finding.Where))
            .Concat(Used.Concat(Others).SelectMany(package => package.Open.Select(finding => Row(package.Name, package.Package.Used, finding, string.Join(" > ", package.Package.Chain)))));
        return [.. rows.Where(row => row.Severity >= Severity.Low)
            .OrderByDescending(row => row.Used).ThenByDescending(row => row.Severity).ThenBy(row => row.Package, StringComparer.Ordinal).ThenBy(row => row.Rule, StringComparer.Ordinal)
            .Take(TopCountMax)];

        static SummaryRow Row(string package, bool used, Finding finding, string chain) =>
            new(Rules.Of(finding).Severity, package, used, finding.Rule, Rules.Of(finding).Title, finding.Where, finding.Detail, chain);
    }
}
