using Astra.Sdk;
using Astra.Tests.Api;

namespace Astra.Tests.EndToEnd;

/// <summary>Agents of a test that work for a real server from outside.</summary>
internal sealed class TestWorker : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _working;

    private TestWorker(Uri address, string key, Agent agent) =>
        _working = new AstraWorker(address, key) { DrainTimeMax = TimeSpan.Zero }.Add(agent).RunAsync(_stop.Token);

    public static async Task<TestWorker> StartAsync(AstraClient client, string key, Agent agent)
    {
        var worker = new TestWorker(client.Address, key, agent);
        await Eventually.HoldsAsync($"a worker that offers {agent.Name}", async () =>
        {
            try
            {
                return (await client.GetAgentAsync(agent.Name, CancellationToken.None)).WorkerCount > 0;
            }
            catch (AstraException e) when (e.Status == 404)
            {
                return false;
            }
        });
        return worker;
    }

    /// <summary>Eats what is put in front of it; what begins with `bad` it refuses, for a cause of its own: `bad-sour-1` and
    /// `bad-sour-2` die of the same.</summary>
    public static TestAgent Picky(string name = "picky") => new(name)
    {
        OnStep = (turn, _) => turn.InputAs<string>() is var word && word.StartsWith("bad", StringComparison.Ordinal)
            ? throw new PermanentFailureException($"It tastes {(word.Split('-') is [_, var cause, ..] ? cause : "bad")}.")
            : Task.FromResult(StepResult.Done(word)),
    };

    /// <summary>A goal of one step for each word, which ends with the last of them.</summary>
    public static GoalSubmission Meal(params string[] words) => new()
    {
        Title = "lunch",
        OnDeadTask = DeadTaskPolicy.Wait,
        Plan = [.. words.Select(word => new AddStep { Name = word, Executor = "agent:picky", Kind = "eat", Input = AstraJson.ToElement(word) })],
    };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _working;
        _stop.Dispose();
    }
}
