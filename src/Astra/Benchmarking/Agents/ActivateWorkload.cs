using System.Diagnostics;
using Astra.Sdk;

namespace Astra.Benchmarking.Agents;

/// <summary>
/// Waking agents: a server of its own, a crowd of registered agents, a worker over the public protocol, and messages to
/// ever new ones of them through the public API. Each wake reads the agent's row, runs its code, and commits the state
/// that the code changed before the answer is given.
/// </summary>
internal sealed class ActivateWorkload(SeparateServer server, int agentCount, Action<string> progress)
{
    public const string Name = "activate";
    public const int AgentCountDefault = 100_000;

    private const int Senders = 8;
    private const int WakesPerRun = 2_000;

    private int _nextWake;

    public async Task<IReadOnlyList<Figure>> RunAsync(string suite, int runCount, CancellationToken cancellationToken)
    {
        using var client = new AstraClient(server.Address, server.ApiKey);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var working = new AstraWorker(server.Address, server.ApiKey) { Slots = 1, DrainTimeMax = TimeSpan.Zero }.Add(new BenchCounter()).RunAsync(ended.Token);
        await SleepingAgents.RegisterAsync(client, agentCount, progress, cancellationToken);

        var order = Enumerable.Range(0, agentCount).ToArray();
        new Random(1).Shuffle(order);
        var wakesPerRun = Math.Min(WakesPerRun, agentCount / (runCount + 1));
        if (wakesPerRun == 0)
            throw new InvalidOperationException($"{agentCount} agents are too few for {runCount} runs; each is woken once.");
        await WakeAsync(client, order, wakesPerRun, cancellationToken);

        var (p50, p99) = (new List<double>(), new List<double>());
        for (var run = 1; run <= runCount; run++)
        {
            progress($"{Name}: run {run} of {runCount}");
            var waits = await WakeAsync(client, order, wakesPerRun, cancellationToken);
            p50.Add(waits[waits.Count / 2]);
            p99.Add(waits[(int)(waits.Count * 0.99)]);
        }
        await ended.CancelAsync();
        await working;
        return [new Figure(suite, Name, "p50", "ms", p50), new Figure(suite, Name, "p99", "ms", p99)];
    }

    /// <returns>How long each took, in milliseconds, ascending.</returns>
    private async Task<IReadOnlyList<double>> WakeAsync(AstraClient client, int[] order, int count, CancellationToken cancellationToken)
    {
        var until = _nextWake + count;
        var waits = await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => Task.Run(async () =>
        {
            var mine = new List<double>();
            for (var next = Interlocked.Increment(ref _nextWake) - 1; next < until; next = Interlocked.Increment(ref _nextWake) - 1)
            {
                var asked = Stopwatch.GetTimestamp();
                var answer = await client.SendAsync(SleepingAgents.NameOf(order[next]), AstraJson.ToElement("wake"), cancellationToken);
                mine.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
                if (answer?.GetInt32() != 1)
                    throw new InvalidOperationException($"A wake was answered with {answer}: the agent was not asleep.");
            }
            return mine;
        }, cancellationToken)));
        _nextWake = until;
        return [.. waits.SelectMany(mine => mine).Order()];
    }
}
