using System.Diagnostics;
using System.Globalization;
using Astra.Kernel.Scheduling;
using Astra.Sdk;

namespace Astra.Benchmarking.Tasks;

/// <summary>
/// One tenant with 100,000 tasks next to 99 with one each, in the slots that a server of two cores has for every tenant
/// (four), 10 ms a task. With equal shares the last of the 99 waits for a round of all hundred and one task that has
/// begun: 260 ms. A wait begins when the submission is durable and ends when the step begins. Beside it stands the same wait
/// as a part of the bound that the server computes from what it has seen on this machine.
/// </summary>
internal sealed class FairWorkload(TasksLoad noisy, AstraClient operatorClient, BenchAgent agent)
{
    private const int QuietTenants = 99;
    private const int NoisyGoals = 100;
    private const int TasksPerNoisyGoal = 1_000;

    public static readonly TimeSpan Work = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Fair = TimeSpan.FromMilliseconds(260);

    /// <returns>For each run the worst wait as a multiple of what is fair, and as a part of the bound.</returns>
    public async Task<(IReadOnlyList<double> OfFair, IReadOnlyList<double> OfBound)> RunAsync(int runCount, Action<string> progress, CancellationToken cancellationToken)
    {
        var quiet = new List<AstraClient>();
        var goals = await noisy.SubmitAllAsync(NoisyGoals, 4, TasksLoad.Independent(TasksPerNoisyGoal, BenchAgent.Inside), cancellationToken);
        try
        {
            var mark = Guid.NewGuid().ToString("n")[..8];
            for (var i = 0; i < QuietTenants; i++)
            {
                var key = await operatorClient.CreateTenantAsync(new TenantRequest($"bench-{mark}-{i}"), cancellationToken);
                quiet.Add(new AstraClient(operatorClient.Address, key.Secret));
            }
            // The last of all that wait, which waits as long as anything here runs.
            var last = (await noisy.Client.GetPlanAsync(goals[^1], cancellationToken)).Tasks[^1].Id;
            // What is measured is how slots are shared, and not the writing of a hundred thousand rows.
            await noisy.CaughtUpAsync(cancellationToken);
            var (ofFair, ofBound) = (new List<double>(), new List<double>());
            progress("fair: warming up");
            for (var since = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(since) < WarmUp;)
                await WorstWaitAsync();
            for (var run = 1; run <= runCount; run++)
            {
                progress($"fair: run {run} of {runCount}");
                var worst = await WorstWaitAsync();
                var bound = BoundOf((await noisy.Client.WhyAsync(last, cancellationToken)).Evidence);
                ofFair.Add(worst / Fair);
                ofBound.Add(worst / bound);
            }
            return (ofFair, ofBound);

            async Task<TimeSpan> WorstWaitAsync() => (await Task.WhenAll(quiet.Select(client => WaitAsync(client, cancellationToken)))).Max();
        }
        finally
        {
            foreach (var client in quiet)
                client.Dispose();
            foreach (var goal in goals)
                await noisy.Client.CancelGoalAsync(goal, "The benchmark has what it wanted.", CancellationToken.None);
        }
    }

    /// <summary>With as many tenants as waited: when it is asked they no longer do.</summary>
    private static TimeSpan BoundOf(IReadOnlyDictionary<string, string> evidence) => evidence.TryGetValue("longestTaskSeconds", out var longest)
        ? WaitBound.Of(
            int.Parse(evidence["slots"], CultureInfo.InvariantCulture), QuietTenants + 1, TimeSpan.FromSeconds(double.Parse(longest, CultureInfo.InvariantCulture)))
        : throw new InvalidOperationException("The noisy tenant has run out of tasks, so there was nothing to wait behind.");

    private async Task<TimeSpan> WaitAsync(AstraClient client, CancellationToken cancellationToken)
    {
        var load = new TasksLoad(client);
        var goal = await load.SubmitAsync([TasksLoad.Step("only", BenchAgent.Inside)], cancellationToken);
        var durableAt = Stopwatch.GetTimestamp();
        // The agent is asked and not the server: a hundred clients that ask for their goals all the time would be most of
        // what the server does.
        long startedAt;
        while (!agent.StartedAt.TryGetValue(goal, out startedAt))
            await Task.Delay(LookInterval, cancellationToken);
        var wait = Stopwatch.GetElapsedTime(durableAt, startedAt);
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }
}
