using Astra.Running;

namespace Astra.Display;

/// <summary>The end of an audit: what was found, gravest first, and where all of it stands.</summary>
public static class AuditView
{
    // What fits a screen. Whoever has more findings than this reads the report.
    private const int RowsShown = 30;

    public static void Write(Terminal terminal, AuditResult audit)
    {
        var output = terminal.Out;
        output.WriteLine($"{audit.PackageCount} packages, {audit.UsedCount} of them used here.");
        output.WriteLine($"Findings in packages used here: {audit.Findings.Used}; in others: {audit.Findings.Others}.");

        // What the project uses first: a grave finding in a cache that nobody reads can wait.
        var rows = audit.Rows.OrderByDescending(row => row.Used).ThenByDescending(row => row.Severity).ToList();
        if (rows.Count > 0)
        {
            Tables.Write(
                terminal,
                ["Severity", "Package", "Finding", "Used through", "What to do"],
                rows.Take(RowsShown).Select(row => (IReadOnlyList<string>)
                [
                    row.Severity.ToString().ToLowerInvariant(), row.Package, row.Title,
                    row.Used ? row.Chain ?? "" : "not used", row.WhatToDo ?? "",
                ]),
                "");
        }

        if (rows.Count > RowsShown)
            output.WriteLine($"... and {rows.Count - RowsShown} more in the report.");

        // Each path alone on its line and never wrapped, so that a double click or a script takes all of it.
        output.WriteLine("Report:");
        if (audit.ReportMarkdown is { } markdown)
            output.WriteLine(markdown);
        if (audit.ReportJson is { } json)
            output.WriteLine(json);
    }
}
