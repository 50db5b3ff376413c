namespace Astra.Benchmarking;

/// <summary>One measured figure: what was measured, in which unit, and what each run gave.</summary>
public sealed record Figure(string Suite, string Workload, string Metric, string Unit, IReadOnlyList<double> Runs)
{
    public double Median
    {
        get
        {
            var sorted = Runs.Order().ToList();
            var middle = sorted.Count / 2;
            return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    public double Min => Runs.Min();
    public double Max => Runs.Max();
}

/// <summary>A workload that this machine cannot run, and why.</summary>
public sealed record Skipped(string Suite, string Workload, string Reason);

/// <summary>What an issue is held to, and where we are going.</summary>
public sealed record Bar(string Workload, string Metric, double Must, double Aim, bool HigherIsBetter)
{
    public static readonly IReadOnlyList<Bar> Tasks =
    [
        new("drain", "rate", 20_000, 50_000, HigherIsBetter: true),
        new("dag", "rate", 15_000, 40_000, HigherIsBetter: true),
        new("latency", "p50", 3, 1.5, HigherIsBetter: false),
        new("latency", "p99", 12, 5, HigherIsBetter: false),
    ];
}
