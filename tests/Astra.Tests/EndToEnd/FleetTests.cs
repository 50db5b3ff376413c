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
        using var servers = await TwoServers.StartAsync(_machine, database);
        var (one, other) = (servers.One, servers.Other);

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

        await servers.First.KillAsync();
        await Eventually.HoldsAsync(
            "the survivor owns every shard",
            async () => await other.GetStatusAsync(None) is var status && status.ShardsOwned == status.ShardsTotal,
            servers.Second.ToString);
        Assert.Equal(GoalState.Cancelled, (await other.GetGoalAsync(goals[0], None)).State);
        foreach (var goal in goals.Skip(1))
            Assert.Equal(GoalState.Cancelled, (await other.CancelGoalAsync(goal, "the end", None)).State);
    }

    [Fact]
    public async Task A_key_that_is_revoked_at_one_server_opens_neither_when_that_is_answered()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        var made = await servers.One.CreateApiKeyAsync(new ApiKeyRequest("temporary"), None);
        using var here = new AstraClient(servers.One.Address, made.Secret);
        using var there = new AstraClient(servers.Other.Address, made.Secret);
        using var over = new CancellationTokenSource();
        var busy = Task.Run(
            async () =>
            {
                // Known to the other server at every moment, until it is not.
                while (!over.IsCancellationRequested)
                    await there.ListGoalsAsync(cancellationToken: None);
            },
            None);
        await here.ListGoalsAsync(cancellationToken: None);

        await servers.One.RevokeApiKeyAsync(made.Key.Id, None);

        foreach (var client in (AstraClient[])[there, here])
            Assert.Equal(401, (await Assert.ThrowsAsync<AstraException>(() => client.ListGoalsAsync(cancellationToken: None))).Status);
        Assert.Equal(401, (await Assert.ThrowsAsync<AstraException>(() => busy)).Status);
        await over.CancelAsync();
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
