using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>How long a task waits: from its submission to its start, alone and beside load, and behind another task.</summary>
internal sealed class LatencyWorkload(TasksLoad load, BenchAgent agent)
{
    private const double SubmissionsPerSecond = 100;
    private const double GraphsPerSecondLoaded = 150;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    /// <returns>Milliseconds from the moment a submission is sent to the moment its task begins in the worker.</returns>
    public async Task<List<double>> SubmitToStartAsync(CancellationToken cancellationToken)
    {
        var plan = new[] { TasksLoad.Step("only") };
        var submitted = await TasksLoad.PacedAsync(SubmissionsPerSecond, Duration, async () =>
        {
            var at = Stopwatch.GetTimestamp();
            return (Goal: await load.SubmitAsync(plan, cancellationToken), At: at);
        }, cancellationToken);
        var waits = new List<double>();
        foreach (var (goal, at) in submitted)
        {
            await load.CompletedAsync(goal, cancellationToken);
            waits.Add(Stopwatch.GetElapsedTime(at, agent.StartedAt[goal]).TotalMilliseconds);
        }
        return waits;
    }

    /// <summary>The same while 15,000 tasks a second in graphs of a hundred are asked of the server, whether or not it keeps up.</summary>
    public async Task<List<double>> SubmitToStartUnderLoadAsync(CancellationToken cancellationToken)
    {
        var graph = TasksLoad.Diamonds();
        var loading = TasksLoad.PacedAsync(
            GraphsPerSecondLoaded, Duration + TimeSpan.FromSeconds(1), () => load.SubmitAsync(graph, cancellationToken), cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        var waits = await SubmitToStartAsync(cancellationToken);
        foreach (var goal in await loading)
            await load.CompletedAsync(goal, cancellationToken);
        await load.CaughtUpAsync(cancellationToken);
        return waits;
    }

    /// <returns>Milliseconds from the end of a step in the worker to the beginning of the one that waits for it: the report,
    /// its commit, the claim, its commit and the way back.</returns>
    public async Task<List<double>> EndToNextStartAsync(CancellationToken cancellationToken)
    {
        var plan = new[]
        {
            TasksLoad.Step("parent", kind: BenchAgent.TimedKind),
            TasksLoad.Step("child", kind: BenchAgent.TimedKind, after: new StepDependency("parent", OnlyCompleted: true)),
        };
        var goals = await TasksLoad.PacedAsync(SubmissionsPerSecond, Duration, () => load.SubmitAsync(plan, cancellationToken), cancellationToken);
        var waits = new List<double>();
        foreach (var goal in goals)
        {
            await load.CompletedAsync(goal, cancellationToken);
            waits.Add(Stopwatch.GetElapsedTime(agent.Times[(goal, "parent")].To, agent.Times[(goal, "child")].From).TotalMilliseconds);
        }
        return waits;
    }
}
