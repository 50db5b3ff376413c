using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>How many tasks a second go from their submission to the rows that show them done, history kept.</summary>
internal sealed class RateWorkload(TasksLoad load, int goalCount, IReadOnlyList<PlanEdit> plan)
{
    private const int RequestsAtOnce = 16;

    public async Task<double> RunAsync(CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        var goals = await load.SubmitAllAsync(goalCount, RequestsAtOnce, plan, cancellationToken);
        await Parallel.ForEachAsync(
            goals, new ParallelOptions { MaxDegreeOfParallelism = RequestsAtOnce, CancellationToken = cancellationToken },
            async (goal, token) => await load.CompletedAsync(goal, token));
        await load.CaughtUpAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);

        await CheckHistoryAsync(goals[0], cancellationToken);
        return goalCount * plan.Count / elapsed.TotalSeconds;
    }

    /// <summary>The rate would be worth nothing if history were missing: every transition must be in the log.</summary>
    private async Task CheckHistoryAsync(Guid goal, CancellationToken cancellationToken)
    {
        var unblocked = plan.OfType<AddStep>().Count(step => step.After.Count > 0);
        var expected = 3 + (plan.Count * 3) + unblocked;
        var found = new List<string>();
        await foreach (var e in load.Client.FollowAsync(goal, cancellationToken: cancellationToken))
            found.Add(e.Kind);
        if (found.Count != expected)
        {
            var byKind = string.Join(", ", found.CountBy(kind => kind).Select(kind => $"{kind.Value} {kind.Key}"));
            throw new InvalidOperationException($"The log holds {found.Count} events of a goal that must have left {expected}: {byKind}.");
        }
    }
}
