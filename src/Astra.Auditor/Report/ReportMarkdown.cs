using System.Text;

namespace Astra.Auditor.Report;

/// <summary>`report.md`: for people. What was found comes first, what is normal last; text from packages is quoted so that
/// it cannot pretend to be part of the report.</summary>
internal static class ReportMarkdown
{
    public static byte[] Write(AuditReport report)
    {
        var text = new StringBuilder();
        text.Append("# Supply-chain audit\n\n");
        text.Append($"Audited: {Quote(report.Request.Path)}\n\n");
        text.Append("An audit sees what it looks for. Nothing found is not a proof of harmlessness.\n\n");
        WriteCounts(text, report);
        WriteProject(text, report.Project);
        WritePackages(text, "Packages the project uses", report.Used);
        WritePackages(text, report.Request.Machine ? "Other packages on this machine" : "Other packages found (not counted for the outcome)", report.Others);
        if (report.LeftOut.Count > 0)
        {
            text.Append("## Left out\n\n");
            foreach (var line in report.LeftOut)
                text.Append($"- {Plain(line)}\n");
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static void WriteCounts(StringBuilder text, AuditReport report)
    {
        text.Append("| | packages | critical | high | medium | low | info |\n|---|---|---|---|---|---|---|\n");
        Row("project files", "", SeverityCounts.Of(report.Project.Where(finding => finding.Allowed is null).Select(finding => finding.Finding)));
        Row("used", report.Used.Count.ToString(), SeverityCounts.Of(report.Used.SelectMany(package => package.Open)));
        Row("others", report.Others.Count.ToString(), SeverityCounts.Of(report.Others.SelectMany(package => package.Open)));
        text.Append('\n');

        void Row(string name, string packages, SeverityCounts counts) =>
            text.Append($"| {name} | {packages} | {counts.Critical} | {counts.High} | {counts.Medium} | {counts.Low} | {counts.Info} |\n");
    }

    private static void WriteProject(StringBuilder text, IReadOnlyList<ReportedFinding> findings)
    {
        if (findings.Count == 0)
            return;
        text.Append("## The project\n\n");
        foreach (var finding in findings)
            WriteFinding(text, finding, chain: null);
        text.Append('\n');
    }

    private static void WritePackages(StringBuilder text, string title, IReadOnlyList<ReportedPackage> packages)
    {
        text.Append($"## {title}\n\n");
        if (packages.Count == 0)
        {
            text.Append("None.\n\n");
            return;
        }
        var telling = packages.Where(package => package.Findings.Any(finding => finding.Rule.Severity > Severity.Info) || package.Verdict == Verdict.NotInspected)
            .OrderByDescending(package => package.Findings.Max(finding => (Severity?)finding.Rule.Severity)).ToList();
        foreach (var package in telling)
            WritePackage(text, package);
        text.Append("| package | verdict | findings | notes |\n|---|---|---|---|\n");
        foreach (var package in packages)
        {
            var notes = package.Findings.Where(finding => finding.Rule.Severity == Severity.Info).Select(finding => finding.Rule.Id).Distinct();
            text.Append($"| {Plain(package.Name)} | {ReportJson.WordOf(package.Verdict)} | {package.Findings.Count} | {string.Join(", ", notes)} |\n");
        }
        text.Append('\n');
    }

    private static void WritePackage(StringBuilder text, ReportedPackage package)
    {
        text.Append($"### {Plain(package.Name)}: {ReportJson.WordOf(package.Verdict)}\n\n");
        var chain = Plain(string.Join(" > ", package.Package.Chain));
        foreach (var finding in package.Findings.Where(finding => finding.Rule.Severity > Severity.Info || package.Verdict == Verdict.NotInspected))
            WriteFinding(text, finding, chain);
        if (package.Package.OmittedFindingCount > 0)
            text.Append($"- and {package.Package.OmittedFindingCount} more of the same rules\n");
        text.Append('\n');
    }

    private static void WriteFinding(StringBuilder text, ReportedFinding reported, string? chain)
    {
        var (finding, rule, allowed) = reported;
        var place = finding.Where + (finding.Line is { } line ? $":{line}" : "");
        text.Append($"- **{ReportJson.WordOf(rule.Severity)}** {rule.Title} (`{rule.Id}`){(place.Length > 0 ? ", " + Quote(place) : "")}: {Plain(finding.Detail)}\n");
        if (finding.Evidence is not null)
            text.Append($"  - seen: {Quote(finding.Evidence)}\n");
        text.Append($"  - why: {rule.Explanation}\n");
        if (chain is not null)
            text.Append($"  - chain: {chain}\n");
        text.Append(allowed is null
            ? $"  - what to do: {rule.WhatToDo}\n"
            : $"  - allowed: {Plain(allowed.Reason)}{(allowed.Until is { } until ? $" (until {until:yyyy-MM-dd})" : "")}\n");
    }

    /// <summary>As code, whatever it contains.</summary>
    private static string Quote(string text) => "`" + text.ReplaceLineEndings(" ").Replace('`', '\'') + "`";

    private static string Plain(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var character in text.ReplaceLineEndings(" "))
        {
            if (character is '<' or '[' or ']' or '|' or '*' or '_' or '`' or '\\' or '#' or '!')
                result.Append('\\');
            result.Append(character);
        }
        return result.ToString();
    }
}
