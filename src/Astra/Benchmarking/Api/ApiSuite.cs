using System.Collections.Concurrent;
using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Api;

/// <summary>
/// REST on loopback, from a process of its own to a server of its own, every request with its API key. The client is the
/// SDK's, over one connection per caller; answers are read to their end and their status is checked.
/// </summary>
internal sealed class ApiSuite(Uri address, string apiKey, Action<string> progress) : IDisposable
{
    public const string Name = "api";

    /// <summary>Every workload this suite knows, in the order it runs them.</summary>
    public static readonly IReadOnlyList<string> Workloads = ["read", "submit", "events"];

    private const int Connections = 32;
    private const int LiveTasks = 1_000;
    private const int Subscribers = 1_000;
    private const int EventsPerSecond = 1_000;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(6);
    /// <summary>A new server takes a quarter of as many goals while it still compiles what they go through.</summary>
    private const int SubmitWarmUps = 2;
    private static readonly TimeSpan RunTime = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan SubscribeTimeMax = TimeSpan.FromSeconds(30);

    private readonly AstraClient _client = new(address, apiKey);

    public Task<IReadOnlyList<Figure>> RunAsync(string workload, int runCount, CancellationToken cancellationToken) => workload switch
    {
        "read" => ReadAsync(runCount, cancellationToken),
        "submit" => SubmitAsync(runCount, cancellationToken),
        _ => EventsAsync(runCount, cancellationToken),
    };

    public void Dispose() => _client.Dispose();

    /// <summary>Live tasks: they wait for a worker that never comes, so their owner answers from memory.</summary>
    private async Task<IReadOnlyList<Figure>> ReadAsync(int runCount, CancellationToken cancellationToken)
    {
        var goal = await _client.SubmitAsync(Goal([.. Enumerable.Range(0, LiveTasks).Select(i => Step($"t{i}"))]), cancellationToken: cancellationToken);
        var tasks = (await _client.GetPlanAsync(goal.Id, cancellationToken)).Tasks.Select(task => task.Id).ToArray();
        try
        {
            return await ClosedLoopAsync(
                "read", warmUpCount: 1, runCount, (_, count, token) => _client.GetTaskAsync(tasks[count % tasks.Length], token), () => Task.CompletedTask, cancellationToken);
        }
        finally
        {
            await _client.CancelGoalAsync(goal.Id, "measured", CancellationToken.None);
        }
    }

    /// <summary>Between the runs the goals are cancelled: they have no worker, and a tenant may have only so many that live.</summary>
    private Task<IReadOnlyList<Figure>> SubmitAsync(int runCount, CancellationToken cancellationToken)
    {
        var goal = Goal([Step("only")]);
        var submitted = new ConcurrentBag<Guid>();
        return ClosedLoopAsync("submit", SubmitWarmUps, runCount, SubmitOneAsync, CancelAllAsync, cancellationToken);

        async Task SubmitOneAsync(int caller, int count, CancellationToken token) =>
            submitted.Add((await _client.SubmitAsync(goal, Guid.NewGuid().ToString("N"), token)).Id);

        async Task CancelAllAsync()
        {
            await Parallel.ForEachAsync(submitted, new ParallelOptions { MaxDegreeOfParallelism = Connections, CancellationToken = cancellationToken },
                async (id, token) => await _client.CancelGoalAsync(id, "measured", token));
            submitted.Clear();
        }
    }

    /// <summary>As many callers as connections, each asking again as soon as it has been answered.</summary>
    private async Task<IReadOnlyList<Figure>> ClosedLoopAsync(
        string workload, int warmUpCount, int runCount, Func<int, int, CancellationToken, Task> ask, Func<Task> cleanUp, CancellationToken cancellationToken)
    {
        var (rates, p99) = (new List<double>(), new List<double>());
        for (var warmUp = 0; warmUp < warmUpCount; warmUp++)
        {
            await LoopAsync(WarmUp);
            await cleanUp();
        }
        for (var run = 1; run <= runCount; run++)
        {
            progress($"{workload}: run {run} of {runCount}");
            var (times, elapsed) = await LoopAsync(RunTime);
            rates.Add(times.Count / elapsed.TotalSeconds);
            p99.Add(Percentile(times, 0.99));
            await cleanUp();
        }
        return [new Figure(Name, workload, "rate", "requests/s", rates), new Figure(Name, workload, "p99", "ms", p99)];

        async Task<(List<double>, TimeSpan)> LoopAsync(TimeSpan duration)
        {
            var since = Stopwatch.GetTimestamp();
            var times = await Task.WhenAll(Enumerable.Range(0, Connections).Select(caller => Task.Run(async () =>
            {
                var mine = new List<double>();
                for (var count = caller; Stopwatch.GetElapsedTime(since) < duration; count += Connections)
                {
                    var asked = Stopwatch.GetTimestamp();
                    await ask(caller, count, cancellationToken);
                    mine.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
                }
                return mine;
            }, cancellationToken)));
            return ([.. times.SelectMany(mine => mine)], Stopwatch.GetElapsedTime(since));
        }
    }

    /// <summary>Each subscriber follows a goal of its own; an edit of a goal's plan is an event for its one subscriber.</summary>
    private async Task<IReadOnlyList<Figure>> EventsAsync(int runCount, CancellationToken cancellationToken)
    {
        progress($"events: {Subscribers} subscribers");
        var goals = new Guid[Subscribers];
        await Parallel.ForEachAsync(Enumerable.Range(0, Subscribers), new ParallelOptions { MaxDegreeOfParallelism = Connections, CancellationToken = cancellationToken },
            async (index, token) => goals[index] = (await _client.SubmitAsync(Goal([Step("only")]), cancellationToken: token)).Id);

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var changedAt = new ConcurrentDictionary<Guid, long>();
        var delays = new ConcurrentQueue<double>();
        using var subscribed = new CountdownEvent(Subscribers);
        var following = goals.Select(goal => FollowAsync(goal, ended.Token)).ToArray();
        if (!await Task.Run(() => subscribed.Wait(SubscribeTimeMax, cancellationToken), cancellationToken))
            throw new InvalidOperationException($"{subscribed.CurrentCount} of {Subscribers} subscribers heard nothing in {SubscribeTimeMax.TotalSeconds:0} s.");

        var p99 = new List<double>();
        await DriveAsync(WarmUp);
        for (var run = 1; run <= runCount; run++)
        {
            progress($"events: run {run} of {runCount}");
            delays.Clear();
            await DriveAsync(RunTime);
            p99.Add(Percentile([.. delays], 0.99));
        }
        await ended.CancelAsync();
        await Task.WhenAll(following);
        return [new Figure(Name, "events", "p99", "ms", p99)];

        async Task FollowAsync(Guid goal, CancellationToken token)
        {
            var isSubscribed = false;
            try
            {
                await foreach (var view in _client.FollowAsync(goal, cancellationToken: token))
                {
                    if (view.Kind == "task_added" && !isSubscribed)
                    {
                        isSubscribed = true;
                        subscribed.Signal();
                    }
                    else if (view.Kind == "task_prioritised" && changedAt.TryRemove(goal, out var at))
                        delays.Enqueue(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
                }
            }
            catch (OperationCanceledException) when (token.IsCancellationRequested)
            {
                // The measurement is over.
            }
        }

        async Task DriveAsync(TimeSpan duration)
        {
            var since = Stopwatch.GetTimestamp();
            var sent = new List<Task>();
            for (var i = 0; Stopwatch.GetElapsedTime(since) < duration; i++)
            {
                var due = TimeSpan.FromSeconds((double)i / EventsPerSecond) - Stopwatch.GetElapsedTime(since);
                if (due > TimeSpan.FromMilliseconds(1))
                    await Task.Delay(due, cancellationToken);
                sent.Add(ChangeAsync(goals[i % Subscribers], i));
            }
            await Task.WhenAll(sent);
        }

        async Task ChangeAsync(Guid goal, int count)
        {
            changedAt[goal] = Stopwatch.GetTimestamp();
            await _client.EditPlanAsync(goal, new PlanPatch([new PrioritiseStep("only", 1 + count / Subscribers % 100)]), revision: null, cancellationToken);
        }
    }

    private static double Percentile(List<double> values, double share)
    {
        if (values.Count == 0)
            throw new InvalidOperationException("Nothing was measured.");
        values.Sort();
        return values[Math.Min((int)(values.Count * share), values.Count - 1)];
    }

    private static GoalSubmission Goal(IReadOnlyList<PlanEdit> plan) => new() { Title = "bench", Plan = plan };

    private static AddStep Step(string name) => new() { Name = name, Executor = "agent:nobody", Kind = "none" };
}
