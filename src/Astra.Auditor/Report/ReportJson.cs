using System.Text.Encodings.Web;
using System.Text.Json;

namespace Astra.Auditor.Report;

/// <summary>`report.json`: for programs. Names are never renamed; new ones may be added.</summary>
internal static class ReportJson
{
    private static readonly JsonWriterOptions Options = new() { Indented = true, Encoder = JavaScriptEncoder.Default };

    public static byte[] Write(AuditReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            json.WriteStartObject();
            json.WriteNumber("formatVersion", 1);
            json.WriteString("path", report.Request.Path);
            json.WriteBoolean("machine", report.Request.Machine);
            json.WriteStartObject("summary");
            json.WriteNumber("packages", report.Used.Count + report.Others.Count);
            json.WriteNumber("used", report.Used.Count);
            WriteCounts(json, "project", SeverityCounts.Of(report.Project.Where(finding => finding.Allowed is null).Select(finding => finding.Finding)));
            WriteCounts(json, "usedFindings", SeverityCounts.Of(report.Used.SelectMany(package => package.Open)));
            WriteCounts(json, "otherFindings", SeverityCounts.Of(report.Others.SelectMany(package => package.Open)));
            json.WriteEndObject();
            json.WriteStartArray("packages");
            foreach (var package in report.Used.Concat(report.Others))
                WritePackage(json, package);
            json.WriteEndArray();
            json.WriteStartArray("project");
            foreach (var finding in report.Project)
                WriteFinding(json, finding, [finding.Finding.Where]);
            json.WriteEndArray();
            json.WriteStartArray("leftOut");
            foreach (var line in report.LeftOut)
                json.WriteStringValue(line);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    public static string WordOf(Severity severity) => severity.ToString().ToLowerInvariant();

    public static string WordOf(Verdict verdict) => verdict switch
    {
        Verdict.NothingFound => "nothing-found",
        Verdict.NotInspected => "not-inspected",
        _ => verdict.ToString().ToLowerInvariant(),
    };

    private static void WriteCounts(Utf8JsonWriter json, string name, SeverityCounts counts)
    {
        json.WriteStartObject(name);
        json.WriteNumber("critical", counts.Critical);
        json.WriteNumber("high", counts.High);
        json.WriteNumber("medium", counts.Medium);
        json.WriteNumber("low", counts.Low);
        json.WriteNumber("info", counts.Info);
        json.WriteEndObject();
    }

    private static void WritePackage(Utf8JsonWriter json, ReportedPackage reported)
    {
        var package = reported.Package;
        json.WriteStartObject();
        json.WriteString("ecosystem", PackageRef.WordOf(package.Ecosystem));
        json.WriteString("id", package.Id);
        json.WriteString("version", package.Version);
        json.WriteBoolean("used", package.Used);
        json.WriteString("verdict", WordOf(reported.Verdict));
        WriteStrings(json, "chain", package.Chain);
        json.WriteNumber("files", package.FileCount);
        json.WriteNumber("bytes", package.ByteCount);
        if (package.SandboxTier is not null)
            json.WriteString("sandbox", package.SandboxTier);
        if (package.Fingerprint is { } fingerprint)
        {
            json.WriteString("content", fingerprint.Content);
            WriteStrings(json, "runsByItself", fingerprint.RunsByItself);
            WriteStrings(json, "abilities", fingerprint.Abilities);
        }
        json.WriteStartArray("findings");
        foreach (var finding in reported.Findings)
            WriteFinding(json, finding, package.Chain);
        json.WriteEndArray();
        json.WriteNumber("omittedFindings", package.OmittedFindingCount);
        json.WriteEndObject();
    }

    private static void WriteFinding(Utf8JsonWriter json, ReportedFinding reported, IReadOnlyList<string> chain)
    {
        var (finding, rule, allowed) = reported;
        json.WriteStartObject();
        json.WriteString("rule", rule.Id);
        json.WriteString("severity", WordOf(rule.Severity));
        json.WriteString("title", rule.Title);
        json.WriteString("where", finding.Where);
        if (finding.Line is { } line)
            json.WriteNumber("line", line);
        json.WriteString("detail", finding.Detail);
        if (finding.Evidence is not null)
            json.WriteString("evidence", finding.Evidence);
        json.WriteString("explanation", rule.Explanation);
        json.WriteString("whatToDo", rule.WhatToDo);
        WriteStrings(json, "chain", chain);
        if (allowed is not null)
        {
            json.WriteStartObject("allowed");
            json.WriteString("reason", allowed.Reason);
            if (allowed.Until is { } until)
                json.WriteString("until", until.ToString("yyyy-MM-dd"));
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, IReadOnlyList<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
