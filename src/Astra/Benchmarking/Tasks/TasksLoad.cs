using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>What the workloads have in common: plans, submissions at a pace, and waiting for the end.</summary>
internal sealed class TasksLoad(IAstraClient client)
{
    private const int TasksPerGraph = 100;
    private const int DiamondWidth = 8;

    // Sixteen that look a hundred times a second for the ends of goals would be a tenth of what is measured.
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(25);

    public IAstraClient Client => client;

    public static GoalSubmission Goal(IReadOnlyList<PlanEdit> plan) => new() { Title = "bench", Plan = plan };

    public static AddStep Step(string name, string agent = BenchAgent.Remote, string kind = "no-op", params StepDependency[] after) =>
        new() { Name = name, Executor = AgentRunner.ExecutorOf(agent), Kind = kind, After = after };

    public static IReadOnlyList<PlanEdit> Independent(int count, string agent = BenchAgent.Remote) => [.. Enumerable.Range(0, count).Select(i => Step($"t{i}", agent))];

    /// <summary>Diamonds in a row, each of one task, eight beside each other, and one that waits for the eight.</summary>
    public static IReadOnlyList<PlanEdit> Diamonds()
    {
        var plan = new List<AddStep> { Step("t0") };
        while (plan.Count < TasksPerGraph)
        {
            var top = new StepDependency(plan[^1].Name, OnlyCompleted: true);
            var middle = Enumerable.Range(plan.Count, Math.Min(DiamondWidth, TasksPerGraph - plan.Count)).Select(i => Step($"t{i}", after: top)).ToList();
            plan.AddRange(middle);
            if (plan.Count < TasksPerGraph)
                plan.Add(Step($"t{plan.Count}", after: [.. middle.Select(step => new StepDependency(step.Name, OnlyCompleted: true))]));
        }
        return plan;
    }

    /// <summary>Submits again what the server was too full to take: it says when.</summary>
    public async Task<Guid> SubmitAsync(IReadOnlyList<PlanEdit> plan, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return (await client.SubmitAsync(Goal(plan), cancellationToken: cancellationToken)).Id;
            }
            catch (AstraException e) when (e.Status is 429 or 503)
            {
                await Task.Delay(e.RetryAfter ?? TimeSpan.FromMilliseconds(200), cancellationToken);
            }
        }
    }

    public async Task<Guid[]> SubmitAllAsync(int count, int atOnce, IReadOnlyList<PlanEdit> plan, CancellationToken cancellationToken)
    {
        var goals = new Guid[count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellationToken },
            async (index, token) => goals[index] = await SubmitAsync(plan, token));
        return goals;
    }

    /// <summary>Begins something so many times a second, whether or not what was begun before has ended.</summary>
    public static async Task<IReadOnlyList<T>> PacedAsync<T>(double perSecond, TimeSpan duration, Func<Task<T>> begin, CancellationToken cancellationToken)
    {
        var begun = new List<Task<T>>();
        var since = Stopwatch.GetTimestamp();
        while (TimeSpan.FromSeconds(begun.Count / perSecond) is var due && due < duration)
        {
            var wait = due - Stopwatch.GetElapsedTime(since);
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait, cancellationToken);
            begun.Add(begin());
        }
        return await Task.WhenAll(begun);
    }

    public async Task CompletedAsync(Guid goal, CancellationToken cancellationToken)
    {
        while (true)
        {
            var view = await client.GetGoalAsync(goal, cancellationToken);
            if (view.State == GoalState.Completed)
                return;
            if (view.State != GoalState.Active)
                throw new InvalidOperationException($"A benchmark's goal ended {view.State}: {view.Reason}");
            await Task.Delay(LookAgain, cancellationToken);
        }
    }

    /// <summary>A list answers only when the rows have caught up with the log.</summary>
    public Task CaughtUpAsync(CancellationToken cancellationToken) => client.ListGoalsAsync(limit: 1, cancellationToken: cancellationToken);

    public static double Quantile(List<double> values, double quantile)
    {
        values.Sort();
        return values[Math.Min((int)(values.Count * quantile), values.Count - 1)];
    }
}
