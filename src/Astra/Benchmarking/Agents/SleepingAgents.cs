using Astra.Sdk;

namespace Astra.Benchmarking.Agents;

/// <summary>An agent that counts its messages: the least that needs a state.</summary>
internal sealed class BenchCounter : Agent<BenchCounter.Count>
{
    public const string ClassName = "bench-counter";

    public override string Name => ClassName;

    protected override ValueTask<object?> ReceiveAsync(MessageTurn turn, Count state, CancellationToken cancellationToken) => ValueTask.FromResult<object?>(++state.Value);

    public sealed class Count
    {
        public int Value { get; set; }
    }
}

/// <summary>A crowd of registered agents that nobody has sent anything to.</summary>
internal static class SleepingAgents
{
    private const int BatchSize = 10_000;

    public static string NameOf(int number) => $"bench-{number}";

    /// <summary>Through the batch endpoint, one batch after the other.</summary>
    public static async Task RegisterAsync(AstraClient client, int count, Action<string> progress, CancellationToken cancellationToken)
    {
        for (var from = 0; from < count; from += BatchSize)
        {
            var batch = Enumerable.Range(from, Math.Min(BatchSize, count - from)).Select(number => new AgentRegistration(NameOf(number)) { Class = BenchCounter.ClassName }).ToList();
            var answer = await client.CreateAgentsAsync(batch, cancellationToken);
            if (answer.Created != batch.Count)
                throw new InvalidOperationException($"{answer.Created} of {batch.Count} agents were created.");
            if ((from + BatchSize) % (10 * BatchSize) == 0)
                progress($"{from + batch.Count} agents registered");
        }
    }
}
