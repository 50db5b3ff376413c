using System.Diagnostics;

namespace Astra.Benchmarking.Tasks;

/// <summary>
/// Durable tasks, end to end: a real server with the defaults that people get, its public API, a worker over the public
/// protocol. Submission and completion are durable before they are acknowledged, the whole history is kept, and a
/// workload ends only when the rows show what the log holds.
/// </summary>
/// <remarks>Independent tasks are submitted a thousand to a goal, graphs a hundred. Each workload runs before it counts, what
/// runs at a rate for half a minute: what a server does for as long under load is count what is hot and compile it anew.</remarks>
internal sealed class TasksSuite(BenchServer server, Action<string> progress)
{
    public const string Name = "tasks";

    /// <summary>Every workload this suite knows, in the order it runs them.</summary>
    public static readonly IReadOnlyList<string> Workloads = ["drain", "dag", "latency", "latency-loaded", "unlock", "edit", "fair", "recover"];

    private const int DrainGoals = 40;
    private const int DrainTasksPerGoal = 1_000;
    private const int Graphs = 1_000;
    private static readonly TimeSpan WarmUpMin = TimeSpan.FromSeconds(30);

    public async Task<IReadOnlyList<Figure>> RunAsync(string workload, int runCount, CancellationToken cancellationToken)
    {
        var load = new TasksLoad(server.Client);
        var latency = new LatencyWorkload(load, server.Remote);
        return workload switch
        {
            "drain" => await RateAsync(workload, new RateWorkload(load, DrainGoals, TasksLoad.Independent(DrainTasksPerGoal)), runCount, cancellationToken),
            "dag" => await RateAsync(workload, new RateWorkload(load, Graphs, TasksLoad.Diamonds()), runCount, cancellationToken),
            "latency" => await QuantilesAsync(workload, latency.SubmitToStartAsync, [0.5, 0.99], runCount, cancellationToken),
            "latency-loaded" => await QuantilesAsync(workload, latency.SubmitToStartUnderLoadAsync, [0.5, 0.99], runCount, cancellationToken, WarmUpMin),
            "unlock" => await QuantilesAsync(workload, latency.EndToNextStartAsync, [0.5, 0.99], runCount, cancellationToken),
            "edit" => await QuantilesAsync(workload, new EditWorkload(load).RunAsync, [0.5], runCount, cancellationToken),
            "fair" => await FairAsync(workload, load, runCount, cancellationToken),
            "recover" => await RecoverAsync(load, cancellationToken),
            _ => throw new ArgumentException($"There is no workload {workload}.", nameof(workload)),
        };
    }

    private async Task<IReadOnlyList<Figure>> RateAsync(string workload, RateWorkload rate, int runCount, CancellationToken cancellationToken)
    {
        await WarmUpAsync(workload, WarmUpMin, rate.RunAsync, cancellationToken);
        var rates = new List<double>();
        for (var run = 1; run <= runCount; run++)
        {
            rates.Add(await rate.RunAsync(cancellationToken));
            progress($"{workload}: run {run} of {runCount}: {rates[^1]:N0} tasks/s");
        }
        return [new Figure(Name, workload, "rate", "tasks/s", rates)];
    }

    private async Task<IReadOnlyList<Figure>> QuantilesAsync(
        string workload, Func<CancellationToken, Task<List<double>>> measure, double[] quantiles, int runCount, CancellationToken cancellationToken,
        TimeSpan warmUpMin = default)
    {
        await WarmUpAsync(workload, warmUpMin, measure, cancellationToken);
        var runs = quantiles.Select(_ => new List<double>()).ToArray();
        for (var run = 1; run <= runCount; run++)
        {
            var milliseconds = await measure(cancellationToken);
            for (var i = 0; i < quantiles.Length; i++)
                runs[i].Add(TasksLoad.Quantile(milliseconds, quantiles[i]));
            progress($"{workload}: run {run} of {runCount}: {string.Join(" / ", runs.Select(of => $"{of[^1]:0.0}"))} ms");
        }
        return [.. quantiles.Select((quantile, i) => new Figure(Name, workload, $"p{quantile * 100:0}", "ms", runs[i]))];
    }

    /// <summary>Once, and as often as it takes to fill the time.</summary>
    private async Task WarmUpAsync<T>(string workload, TimeSpan min, Func<CancellationToken, Task<T>> run, CancellationToken cancellationToken)
    {
        progress($"{workload}: warming up");
        var since = Stopwatch.GetTimestamp();
        do
            await run(cancellationToken);
        while (Stopwatch.GetElapsedTime(since) < min);
    }

    private async Task<IReadOnlyList<Figure>> FairAsync(string workload, TasksLoad load, int runCount, CancellationToken cancellationToken)
    {
        var (ofFair, ofBound) = await new FairWorkload(load, server.Operator, server.Inside).RunAsync(runCount, progress, cancellationToken);
        return [new Figure(Name, workload, "worst-wait", "ratio", ofFair), new Figure(Name, workload, "of-bound", "ratio", ofBound)];
    }

    /// <summary>One run, because a million tasks have to be submitted first.</summary>
    private async Task<IReadOnlyList<Figure>> RecoverAsync(TasksLoad load, CancellationToken cancellationToken)
    {
        const int Goals = 1_000;
        const int TasksPerGoal = 1_000;
        progress($"recover: submitting {Goals * TasksPerGoal:N0} tasks");
        await load.SubmitAllAsync(Goals, 4, TasksLoad.Independent(TasksPerGoal, BenchAgent.Later), cancellationToken);
        await load.CaughtUpAsync(cancellationToken);
        progress("recover: stopping and starting the server");
        var (first, all) = await server.RestartAsync(cancellationToken);
        return
        [
            new Figure(Name, "recover", "first-dispatch", "s", [first.TotalSeconds]),
            new Figure(Name, "recover", "all-loaded", "s", [all.TotalSeconds]),
        ];
    }
}
