using Astra.Sdk;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>A goal that the tables refuse, on a real server that is killed.</summary>
public sealed class QuarantineLifeTests(PostgresFixture postgres) : IAsyncDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task Goals_in_quarantine_outlive_their_server_and_are_let_out_or_given_up()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var server = await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        Guid kept, dropped, healthy;
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            await client.RegisterAgentAsync(new AgentRegistration("nobody", "Has no worker, so that its goals stay."), None);
            (kept, dropped, healthy) = (await SubmitAsync(client), await SubmitAsync(client), await SubmitAsync(client));
            await Eventually.HoldsAsync("the rows are there", async () => 3 == (long)(await database.ScalarAsync("SELECT count(*) FROM astra.goals"))!);
            // The tables let no more of these two in, whatever is wrong with them.
            await database.ScalarAsync($"INSERT INTO astra.quarantined_goals (shard, tenant, goal, reason) SELECT shard, tenant, id, 'a rule that they break' FROM astra.goals WHERE id IN ('{kept}', '{dropped}') RETURNING 1");
            foreach (var goal in (Guid[])[kept, dropped])
                Assert.Equal(2, await client.AmendPlanAsync(goal, new PlanPatch([new AddStep { Name = "more", Executor = "agent:nobody" }]), cancellationToken: None));
            await server.KillAsync();
        }

        await _machine.ServeAsync(_machine.Data, "--database", database.Address);
        using var again = await AstraMachine.ClientAsync(_machine.Data);
        foreach (var goal in (Guid[])[kept, dropped])
        {
            var view = await again.GetGoalAsync(goal, None);
            Assert.Equal((GoalState.Active, 2L, 2), (view.State, view.Revision, view.Tasks.Ready));
        }
        Assert.Equal(GoalState.Active, (await again.GetGoalAsync(healthy, None)).State);
        Assert.Equal(new[] { kept, dropped }.Order(), (await again.ListQuarantinedAsync(None)).Select(goal => goal.GoalId).Order());

        var let = await _machine.Astra("goal", "quarantine", "release", $"{kept}").EndsWithAsync(0);
        Assert.Contains("is out of quarantine", let.Out, StringComparison.Ordinal);
        await _machine.Astra("goal", "quarantine", "discard", $"{dropped}", "--reason", "made by mistake").EndsWithAsync(0);
        Assert.Empty(await again.ListQuarantinedAsync(None));
        Assert.Equal(2L, await database.ScalarAsync($"SELECT count(*) FROM astra.tasks WHERE goal = '{kept}'"));
        await Eventually.HoldsAsync("nothing is left of what was given up", async () => 0 == (long)(await database.ScalarAsync($"SELECT count(*) FROM astra.tasks WHERE goal = '{dropped}'"))!);
        var twice = await Assert.ThrowsAsync<AstraException>(() => again.ReleaseGoalAsync(kept, None));
        Assert.Equal(409, twice.Status);
        Assert.Contains((await again.ListEventsAsync(kept, cancellationToken: None)).Items, happened => happened.Kind == "goal_released");
        Assert.Equal("goal_submitted", (await again.ListEventsAsync(kept, cancellationToken: None)).Items[0].Kind);
    }

    private static async Task<Guid> SubmitAsync(AstraClient client) => (await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: None)).Id;

    public ValueTask DisposeAsync() => _machine.DisposeAsync();
}
