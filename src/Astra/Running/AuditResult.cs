using System.Text.Json;
using Astra.Sdk;

namespace Astra.Running;

public enum Severity { Info, Low, Medium, High, Critical }

/// <summary>What an audit's goal results in, as far as the command line shows it.</summary>
public sealed record AuditResult
{
    public required int PackageCount { get; init; }
    public required int UsedCount { get; init; }
    public required AuditFindings Findings { get; init; }

    /// <summary>Paths on the machine that ran the audit.</summary>
    public string? ReportMarkdown { get; init; }
    public string? ReportJson { get; init; }

    public IReadOnlyList<AuditRow> Rows { get; init; } = [];

    /// <summary>Null when the goal has no result, or one that an audit does not give.</summary>
    public static AuditResult? TryRead(JsonElement? result)
    {
        try
        {
            return result is { ValueKind: JsonValueKind.Object } element ? AstraJson.Read<AuditResult>(element) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <param name="threshold">Null never fails.</param>
    /// <param name="machine">Packages that the project does not use count too.</param>
    public bool HasFindingsAtOrAbove(Severity? threshold, bool machine) =>
        threshold is { } least
        && (Findings.Used.AtOrAbove(least) > 0 || (machine && Findings.Others.AtOrAbove(least) > 0));
}

public sealed record AuditFindings(FindingCounts Used, FindingCounts Others);

public sealed record FindingCounts(int Critical = 0, int High = 0, int Medium = 0, int Low = 0, int Info = 0)
{
    public int AtOrAbove(Severity least) =>
        Critical
        + (least <= Severity.High ? High : 0)
        + (least <= Severity.Medium ? Medium : 0)
        + (least <= Severity.Low ? Low : 0)
        + (least <= Severity.Info ? Info : 0);

    public override string ToString() => AtOrAbove(Severity.Info) == 0
        ? "none"
        : string.Join(", ", new[] { (Critical, "critical"), (High, "high"), (Medium, "medium"), (Low, "low"), (Info, "info") }
            .Where(count => count.Item1 > 0)
            .Select(count => $"{count.Item1} {count.Item2}"));
}

public sealed record AuditRow
{
    public required Severity Severity { get; init; }
    public required string Package { get; init; }
    public required string Rule { get; init; }
    public required string Title { get; init; }

    /// <summary>How the project comes to use the package, from its own file on.</summary>
    public string? Chain { get; init; }

    public string? WhatToDo { get; init; }
    public bool Used { get; init; }
}
