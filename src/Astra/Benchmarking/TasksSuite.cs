using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking;

/// <summary>
/// Durable tasks, end to end: a real server with the defaults that people get, its public API, a worker over the public
/// protocol. Submission and completion are durable before they are acknowledged, the whole history is kept, and a
/// workload ends only when the rows show what the log holds.
/// </summary>
internal sealed class TasksSuite(IAstraClient client, NoOpAgent agent, Action<string> progress)
{
    public const string Name = "tasks";

    /// <summary>Every workload this suite knows, in the order it runs them.</summary>
    public static readonly IReadOnlyList<string> Workloads = ["drain", "dag", "latency", TakeoverWorkload.Name];

    private const int DrainGoals = 40;
    private const int DrainTasksPerGoal = 1_000;
    private const int Graphs = 400;
    private const int TasksPerGraph = 100;
    private const int SubmissionsPerSecond = 100;
    private static readonly TimeSpan LatencyRun = TimeSpan.FromSeconds(5);

    public async Task<IReadOnlyList<Figure>> RunAsync(string workload, int runCount, CancellationToken cancellationToken)
    {
        if (workload == "latency")
            return await LatencyAsync(runCount, cancellationToken);

        var rates = new List<double>();
        for (var run = 1; run <= runCount; run++)
        {
            progress($"{workload}: run {run} of {runCount}");
            var (goals, plan) = workload == "drain" ? (DrainGoals, Independent()) : (Graphs, Diamonds());
            rates.Add(await RateAsync(goals, plan, cancellationToken));
        }
        return [new Figure(Name, workload, "rate", "tasks/s", rates)];
    }

    private async Task<double> RateAsync(int goalCount, IReadOnlyList<PlanEdit> plan, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        var goals = new Guid[goalCount];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, goalCount), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken },
            async (index, token) => goals[index] = (await client.SubmitAsync(Goal(plan), cancellationToken: token)).Id);
        foreach (var goal in goals)
            await CompletedAsync(goal, cancellationToken);
        // A list answers only when the rows have caught up with the log.
        await client.ListGoalsAsync(limit: 1, cancellationToken: cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);

        await CheckHistoryAsync(goals[0], plan, cancellationToken);
        return goalCount * plan.Count / elapsed.TotalSeconds;
    }

    private async Task<IReadOnlyList<Figure>> LatencyAsync(int runCount, CancellationToken cancellationToken)
    {
        var (p50, p99) = (new List<double>(), new List<double>());
        var plan = new[] { Step("only") };
        for (var run = 1; run <= runCount; run++)
        {
            progress($"latency: run {run} of {runCount}");
            var submitted = new List<Task<(Guid Goal, long At)>>();
            var since = Stopwatch.GetTimestamp();
            for (var i = 0; Stopwatch.GetElapsedTime(since) < LatencyRun; i++)
            {
                var due = TimeSpan.FromSeconds((double)i / SubmissionsPerSecond) - Stopwatch.GetElapsedTime(since);
                if (due > TimeSpan.Zero)
                    await Task.Delay(due, cancellationToken);
                submitted.Add(SubmitTimedAsync(plan, cancellationToken));
            }
            var waits = new List<double>();
            foreach (var (goal, at) in await Task.WhenAll(submitted))
            {
                await CompletedAsync(goal, cancellationToken);
                waits.Add(Stopwatch.GetElapsedTime(at, agent.StartedAt[goal]).TotalMilliseconds);
            }
            waits.Sort();
            p50.Add(waits[waits.Count / 2]);
            p99.Add(waits[(int)(waits.Count * 0.99)]);
        }
        return [new Figure(Name, "latency", "p50", "ms", p50), new Figure(Name, "latency", "p99", "ms", p99)];
    }

    private async Task<(Guid, long)> SubmitTimedAsync(IReadOnlyList<PlanEdit> plan, CancellationToken cancellationToken)
    {
        var at = Stopwatch.GetTimestamp();
        return ((await client.SubmitAsync(Goal(plan), cancellationToken: cancellationToken)).Id, at);
    }

    private async Task CompletedAsync(Guid goal, CancellationToken cancellationToken)
    {
        while (true)
        {
            var view = await client.GetGoalAsync(goal, cancellationToken);
            if (view.State == GoalState.Completed)
                return;
            if (view.State != GoalState.Active)
                throw new InvalidOperationException($"A benchmark's goal ended {view.State}: {view.Reason}");
            await Task.Delay(10, cancellationToken);
        }
    }

    /// <summary>The rate would be worth nothing if history were missing: every transition must be in the log.</summary>
    private async Task CheckHistoryAsync(Guid goal, IReadOnlyList<PlanEdit> plan, CancellationToken cancellationToken)
    {
        var unblocked = plan.OfType<AddStep>().Count(step => step.After.Count > 0);
        var expected = 3 + (plan.Count * 3) + unblocked;
        var found = 0;
        await foreach (var _ in client.FollowAsync(goal, cancellationToken: cancellationToken))
            found++;
        if (found != expected)
            throw new InvalidOperationException($"The log holds {found} events of a goal that must have left {expected}.");
    }

    private static GoalSubmission Goal(IReadOnlyList<PlanEdit> plan) => new() { Title = "bench", Plan = plan };

    private static AddStep Step(string name, params StepDependency[] after) =>
        new() { Name = name, Executor = $"agent:{NoOpAgent.AgentName}", Kind = "no-op", After = after };

    private static IReadOnlyList<PlanEdit> Independent() => [.. Enumerable.Range(0, DrainTasksPerGoal).Select(i => Step($"t{i}"))];

    /// <summary>Diamonds in a row, each of one task, eight beside each other, and one that waits for the eight.</summary>
    private static IReadOnlyList<PlanEdit> Diamonds()
    {
        const int Width = 8;
        var plan = new List<AddStep> { Step("t0") };
        while (plan.Count < TasksPerGraph)
        {
            var top = new StepDependency(plan[^1].Name, OnlyCompleted: true);
            var middle = Enumerable.Range(plan.Count, Math.Min(Width, TasksPerGraph - plan.Count)).Select(i => Step($"t{i}", top)).ToList();
            plan.AddRange(middle);
            if (plan.Count < TasksPerGraph)
                plan.Add(Step($"t{plan.Count}", [.. middle.Select(step => new StepDependency(step.Name, OnlyCompleted: true))]));
        }
        return plan;
    }
}
