using System.Globalization;
using System.Text;
using Astra.Chaos.Audit;

namespace Astra.Chaos.Report;

/// <summary>The report for people.</summary>
internal static class ReportText
{
    private const int FindingsShownMax = 20;

    public static string Of(ChaosReport report)
    {
        var text = new StringBuilder();
        Line($"Seed {report.Seed}, {report.Options.Servers} servers, {report.Options.Workers} workers, {report.Duration:hh\\:mm\\:ss}.");
        Line();
        Line($"{"fault",-20} {"episodes",8} {"servers",8} {"postgres",8} {"pauses",7} {"workers",8}   {"accepted p50/p99/max s",-24} {"done p50/p99/max s",-24} {"all ended p50/max s",-20}");
        foreach (var kind in report.Episodes.GroupBy(episode => episode.Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal))
            Line($"{kind.Key,-20} {kind.Count(),8} {kind.Sum(one => one.ServerKills),8} {kind.Sum(one => one.PostgresKills),8} {kind.Sum(one => one.Pauses),7} {kind.Sum(one => one.WorkerKills),8}   {Quantiles(kind.Select(one => one.Accepted)),-24} {Quantiles(kind.Select(one => one.Done)),-24} {Ends(kind.Select(one => one.AllEnded)),-20}");
        Line($"{"all",-20} {report.Episodes.Count,8} {report.ServerKills,8} {report.PostgresKills,8} {report.Pauses,7} {report.WorkerKills,8}   {Quantiles(report.Episodes.Select(one => one.Accepted)),-24} {Quantiles(report.Episodes.Select(one => one.Done)),-24} {Ends(report.Episodes.Select(one => one.AllEnded)),-20}");
        foreach (var problem in report.LeftOut)
            Line($"left out: {problem}");
        Line();
        Line($"Goals accepted {report.Balance.Accepted:N0} with {report.Balance.Tasks:N0} tasks = {string.Join(" + ", report.Balance.ByState.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"{one.Value:N0} {one.Key}"))}; {report.EditsAcknowledged:N0} edits.");
        Line($"Attempts {report.Attempts:N0}, of them lost with their worker or server {report.LostAttempts:N0}; effects {report.Effects:N0}, of them resolved by a person {report.ResolvedEffects:N0}; workers started {report.WorkerStarts:N0} times.");
        Line($"Entries of the log {report.Entries:N0}{(report.Appends > 0 ? $" in {report.Appends:N0} appends; a shard changed hands between two of them {report.Takeovers:N0} times; commits of the paused that were fenced {report.Episodes.Sum(one => one.FencedCommits):N0}" : "")}.");
        Line($"Requests that were asked again: {(report.Retries.Count == 0 ? "none" : string.Join(", ", report.Retries.OrderBy(one => one.Key).Select(one => $"{one.Value:N0} {(one.Key == 0 ? "without an answer" : $"after {one.Key}")}")))}. Ends that nobody had caused: servers {report.ServerEnds}, PostgreSQL {report.PostgresEnds}.");
        Line($"Shapes: {string.Join(", ", report.Shapes.OrderBy(one => one.Key).Select(one => $"{one.Key.ToString().ToLowerInvariant()} {one.Value:N0}"))}.");
        Line();
        Line($"{"",-32} {"start",10} {"third",10} {"2 thirds",10} {"end",10}");
        foreach (var series in report.Series)
            Line($"{series.Name,-32} {series.Start,10:0.#} {series.Third,10:0.#} {series.TwoThirds,10:0.#} {series.End,10:0.#}  {series.Verdict}");
        Line();
        Line($"{string.Join("  ", report.Losses.Select(loss => $"{Word(loss.Key)} {loss.Value}"))}");
        foreach (var finding in report.Findings.Take(FindingsShownMax))
            Line($"  {Word(finding.Loss)}: {finding.Sentence}");
        if (report.Findings.Count > FindingsShownMax)
            Line($"  and {report.Findings.Count - FindingsShownMax} more");
        if (!report.IsClean)
            Line($"Again with the same faults: ./astra chaos --seed {report.Seed} --minutes {report.Options.Minutes}");
        return text.ToString();

        void Line(string line = "") => text.AppendLine(CultureInfo.InvariantCulture, $"{line.TrimEnd()}");
    }

    public static string Word(Loss loss) => loss switch
    {
        Loss.Lost => "lost",
        Loss.Doubled => "doubled",
        Loss.OutOfOrder => "out of order",
        Loss.Unended => "un-ended",
        Loss.Stale => "stale writes accepted",
        _ => "unequal",
    };

    private static string Quantiles(IEnumerable<TimeSpan?> times)
    {
        var sorted = times.OfType<TimeSpan>().Select(time => time.TotalSeconds).Order().ToList();
        return sorted.Count == 0 ? "-" : $"{At(0.5):0.00} / {At(0.99):0.00} / {sorted[^1]:0.00}";

        double At(double quantile) => sorted[Math.Min((int)(sorted.Count * quantile), sorted.Count - 1)];
    }

    private static string Ends(IEnumerable<TimeSpan?> times)
    {
        var sorted = times.OfType<TimeSpan>().Select(time => time.TotalSeconds).Order().ToList();
        return sorted.Count == 0 ? "-" : $"{sorted[sorted.Count / 2]:0.0} / {sorted[^1]:0.0}";
    }
}
