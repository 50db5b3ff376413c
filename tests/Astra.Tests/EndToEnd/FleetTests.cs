using Astra.Sdk;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Two server processes that share nothing but a database.</summary>
public sealed class FleetTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int GoalCount = 8;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task Two_servers_on_one_database_divide_the_shards_and_each_answers_for_both()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var (first, second) = (_machine.DataOf("first"), _machine.DataOf("second"));
        var killed = await _machine.ServeAsync(first, "--database", database.Address);
        var survivor = await _machine.ServeAsync(second, "--database", database.Address);
        using var one = await AstraMachine.ClientAsync(first);
        using var other = await AstraMachine.ClientAsync(second, keyFrom: first);
        await Eventually.HoldsAsync(
            "every shard owned, and both servers owning some",
            async () => await other.GetStatusAsync(None) is var status
                && status.Nodes.Count(node => node is { Alive: true, Shards: > 0 }) == 2 && status.Nodes.Sum(node => node.Shards) == status.ShardsTotal);

        await one.RegisterAgentAsync(new AgentRegistration("nobody", "Has no worker, so that its goals stay."), None);
        var goals = new List<Guid>();
        for (var number = 0; number < GoalCount; number++)
            goals.Add((await one.SubmitAsync(new GoalSubmission { Agent = "nobody", Title = $"goal {number}" }, cancellationToken: None)).Id);
        foreach (var goal in goals)
            Assert.Equal(GoalState.Active, (await other.GetGoalAsync(goal, None)).State);
        await Eventually.HoldsAsync(
            "the other server lists the goals",
            async () => goals.Order().SequenceEqual((await other.ListGoalsAsync(cancellationToken: None)).Items.Select(goal => goal.Id).Order()));
        await other.CancelGoalAsync(goals[0], "asked of the other", None);
        Assert.Equal(GoalState.Cancelled, (await one.GetGoalAsync(goals[0], None)).State);

        await killed.KillAsync();
        await Eventually.HoldsAsync(
            "the survivor owns every shard",
            async () => await other.GetStatusAsync(None) is var status && status.ShardsOwned == status.ShardsTotal,
            survivor.ToString);
        Assert.Equal(GoalState.Cancelled, (await other.GetGoalAsync(goals[0], None)).State);
        foreach (var goal in goals.Skip(1))
            Assert.Equal(GoalState.Cancelled, (await other.CancelGoalAsync(goal, "the end", None)).State);
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
