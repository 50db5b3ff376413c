using Astra.Sdk;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Goals that wait for goals, over two server processes of which one is killed.</summary>
public sealed class GoalChainTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int ChainCount = 6;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_goal_wakes_exactly_once_although_the_server_of_one_of_the_two_was_killed(bool isKilledAfterTheEnd)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        var (one, other) = (servers.One, servers.Other);
        await one.RegisterAgentAsync(new AgentRegistration("nobody", "Has no worker, so that its goals stay."), None);

        // Each server makes goals on its own shards: both directions between the one that dies and the one that does not.
        var (ended, waiting) = (new List<Guid>(), new List<Guid>());
        for (var number = 0; number < ChainCount; number++)
        {
            var (before, after) = number % 2 == 0 ? (one, other) : (other, one);
            ended.Add((await before.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: None)).Id);
            waiting.Add((await after.SubmitAsync(new GoalSubmission { Agent = "nobody", After = [new GoalAfter(ended[^1], GoalCondition.Ended)] }, cancellationToken: None)).Id);
        }

        if (isKilledAfterTheEnd)
        {
            // The end is durable when the answer comes; whether anybody has heard of it by then is anybody's guess.
            await Task.WhenAll(ended.Select(goal => one.CancelGoalAsync(goal, "the end", None)));
            await servers.First.KillAsync();
        }
        else
        {
            await servers.First.KillAsync();
            foreach (var goal in ended)
                await Eventually.HoldsAsync("the goal is cancelled", async () => await TryCancelAsync(other, goal), servers.Second.ToString);
        }

        foreach (var goal in waiting)
        {
            await Eventually.HoldsAsync("the goal that waited has begun", async () =>
            {
                try
                {
                    return (await other.GetGoalAsync(goal, None)).Tasks is { Ready: 1 };
                }
                catch (AstraException e) when (e.Status == 503)
                {
                    return false;
                }
            }, servers.Second.ToString);
            var events = await other.ListEventsAsync(goal, cancellationToken: None);
            Assert.Single(events.Items, happened => happened.Kind == "predecessor_ended");
            Assert.Single(events.Items, happened => happened.Kind == "task_unblocked");
        }
    }

    private static async Task<bool> TryCancelAsync(AstraClient client, Guid goal)
    {
        try
        {
            return (await client.CancelGoalAsync(goal, "the end", None)).State == GoalState.Cancelled;
        }
        catch (AstraException e) when (e.Status == 503)
        {
            return false;
        }
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
