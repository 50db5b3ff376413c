using Astra.Auditor;

namespace Astra.Display;

/// <summary>The end of an audit: what was found, gravest first, and where all of it stands.</summary>
public static class AuditView
{
    public static void Write(Terminal terminal, AuditSummary audit)
    {
        var output = terminal.Out;
        output.WriteLine($"{audit.PackageCount} packages, {audit.UsedCount} of them used here.");
        if (audit.NotInspectedCount > 0)
            output.WriteLine($"{audit.NotInspectedCount} could not be inspected; nothing can be said of those.");
        output.WriteLine($"Findings about the project itself: {Of(audit.Project)}.");
        output.WriteLine($"Findings in packages used here: {Of(audit.Used)}.");
        output.WriteLine($"Findings in other packages on this machine: {Of(audit.Others)}{(audit.OthersCount ? "" : " (not counted; --machine counts them)")}.");
        if (audit.AllowedCount > 0)
            output.WriteLine($"{audit.AllowedCount} more are allowed by the project's allow list.");

        if (audit.Top.Count > 0)
        {
            Tables.Write(
                terminal,
                ["Severity", "Package", "Finding", "Used through", "What to do"],
                audit.Top.Select(row => (IReadOnlyList<string>)
                [
                    row.Severity.ToString().ToLowerInvariant(), row.Package, $"{row.Title} ({row.Rule})", row.Used ? row.Chain : "not used",
                    // A server may be newer than this program and know more rules.
                    Rules.Knows(row.Rule) ? Rules.Of(row.Rule).WhatToDo : "See the report.",
                ]),
                "");
        }

        var shown = audit.Top.Count;
        var all = audit.Project.AtLeast(Severity.Low) + audit.Used.AtLeast(Severity.Low) + audit.Others.AtLeast(Severity.Low);
        if (all > shown)
            output.WriteLine($"... and {all - shown} more in the report.");

        // Each path alone on its line and never wrapped, so that a double click or a script takes all of it.
        output.WriteLine("Report:");
        output.WriteLine(audit.ReportMarkdown);
        output.WriteLine(audit.ReportJson);
    }

    private static string Of(SeverityCounts counts) => counts.AtLeast(Severity.Info) == 0
        ? "none"
        : string.Join(", ", new (int Count, string Word)[]
                { (counts.Critical, "critical"), (counts.High, "high"), (counts.Medium, "medium"), (counts.Low, "low"), (counts.Info, "info") }
            .Where(part => part.Count > 0)
            .Select(part => $"{part.Count} {part.Word}"));
}
