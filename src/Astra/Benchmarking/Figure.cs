using Astra.Benchmarking.Api;
using Astra.Benchmarking.Kernel;
using Astra.Benchmarking.Router;
using Astra.Benchmarking.Tasks;

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
    /// <summary>What others reach, measured on a machine like the one the bars are for and not in this run.</summary>
    public string? Elsewhere { get; init; }

    public static readonly IReadOnlyList<Bar> Tasks =
    [
        new("drain", "rate", 20_000, 50_000, HigherIsBetter: true) { Elsewhere = "graphile-worker 3,130, in batches 33,000-44,600; pg-boss 1,900; BullMQ with fsync 13,200" },
        new("dag", "rate", 15_000, 40_000, HigherIsBetter: true) { Elsewhere = "a scheduler that polls 100 tasks each 100 ms: 1,000" },
        new("latency", "p50", 3, 1.5, HigherIsBetter: false) { Elsewhere = "graphile-worker 1.9; pg-boss 3.9, polling 264" },
        new("latency", "p99", 12, 5, HigherIsBetter: false) { Elsewhere = "graphile-worker 5.2; pg-boss 9.2, polling 508" },
        new("latency-loaded", "p50", 15, 8, HigherIsBetter: false),
        new("latency-loaded", "p99", 60, 25, HigherIsBetter: false),
        new("unlock", "p50", 3, 1.5, HigherIsBetter: false) { Elsewhere = "Temporal, Hatchet: tens of ms" },
        new("unlock", "p99", 12, 5, HigherIsBetter: false),
        new("edit", "p50", 5, 2, HigherIsBetter: false),
        new("fair", "worst-wait", 1.5, 1.1, HigherIsBetter: false),
        new("fair", "of-bound", 1, 1, HigherIsBetter: false),
        new("recover", "first-dispatch", 5, 2, HigherIsBetter: false),
        new("recover", "all-loaded", 30, 12, HigherIsBetter: false),
        new("sleep", "statements", 0.5, 0, HigherIsBetter: false),
        new("sleep", "resident", 300, 100, HigherIsBetter: false),
        new(TakeoverWorkload.Name, "p99", 2, 1.2, HigherIsBetter: false),
    ];

    public static readonly IReadOnlyList<Bar> Api =
    [
        new("read", "rate", 12_000, 30_000, HigherIsBetter: true),
        new("read", "p99", 10, 4, HigherIsBetter: false),
        new("submit", "rate", 3_000, 8_000, HigherIsBetter: true),
        new("submit", "p99", 40, 20, HigherIsBetter: false),
        new("events", "p99", 100, 30, HigherIsBetter: false),
    ];

    public static readonly IReadOnlyList<Bar> Kernel =
    [
        new("tell1", "rate", 25e6, 50e6, HigherIsBetter: true),
        new("tell1", "allocated", 1, 0, HigherIsBetter: false),
        new("tell8", "rate", 18e6, 35e6, HigherIsBetter: true),
        new("pingpong1", "rate", 8e6, 18e6, HigherIsBetter: true),
        new("pingpong16", "rate", 12e6, 35e6, HigherIsBetter: true),
        new("ask", "p50", 0.8, 0.35, HigherIsBetter: false),
        new("ask", "p99", 2, 1, HigherIsBetter: false),
        new("ask", "allocated", 48, 0, HigherIsBetter: false),
        new("spawn1m", "elapsed", 1.5, 0.6, HigherIsBetter: false),
        new("spawn1m", "heap", 450, 250, HigherIsBetter: false),
        new("skynet", "elapsed", 0.6, 0.25, HigherIsBetter: false),
        new("fairness", "p99", 3, 1.5, HigherIsBetter: false),
        new("activate", "p99", 20, 10, HigherIsBetter: false),
        new("restart-storm", "share", 80, 95, HigherIsBetter: true),
        new("features", "overhead", 10, 5, HigherIsBetter: false),
        new("features", "memory", 150, 100, HigherIsBetter: false),
    ];

    public static readonly IReadOnlyList<Bar> Router =
    [
        new("route", "rate", 15_000, 25_000, HigherIsBetter: true) { Elsewhere = "Portkey 1.15.2 1,168" },
        new("route", "added-p50", 0.15, 0.08, HigherIsBetter: false) { Elsewhere = "Portkey 0.94" },
        new("route", "cpu", 70, 40, HigherIsBetter: false) { Elsewhere = "Portkey 979" },
        new("route-128", "p99", 20, 10, HigherIsBetter: false) { Elsewhere = "Portkey 1,319" },
        new("stream", "added-ttft-p50", 1, 0.3, HigherIsBetter: false) { Elsewhere = "Portkey 27-30" },
        new("stream", "added-chunk-p50", 1, 0.5, HigherIsBetter: false),
        new("soak", "resident", 200, 120, HigherIsBetter: false) { Elsewhere = "Portkey 230" },
        new("cache-hit", "rate", 40_000, 65_000, HigherIsBetter: true),
        new("cap-256", "overspend", 0, 0, HigherIsBetter: false),
    ];

    /// <summary>The bars of a suite; one without any is only measured.</summary>
    public static IReadOnlyList<Bar> Of(string suite) => suite switch
    {
        TasksSuite.Name => Tasks,
        KernelSuite.Name => Kernel,
        ApiSuite.Name => Api,
        RouterSuite.Name => Router,
        _ => [],
    };
}
