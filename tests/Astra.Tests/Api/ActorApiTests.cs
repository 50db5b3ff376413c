using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Tests.Api;

public sealed class ActorApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_tree_of_a_node_with_thousands_of_shards_fits_an_answer()
    {
        await using var server = await ServerFixture.StartAsync();
        var tree = await (await server.ClientAsync()).GetActorsAsync(limit: 3, cancellationToken: Ct);
        Assert.Equal(("node", "/"), (tree.NodeId, tree.Actor.Path));
        var shards = (await (await server.ClientAsync()).GetActorsAsync("/shards", limit: 3, cancellationToken: Ct)).Actor;
        Assert.Equal((4096, 3, 4093L), (shards.ChildCount, shards.Children.Count, shards.Unlisted!.Actors));
        Assert.All(shards.Children, shard => Assert.Equal("running", shard.State));
    }

    [Fact]
    public async Task A_part_of_the_node_is_restarted_and_goals_go_on()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync(role: Role.PlatformAdmin);
        Assert.Equal("/scheduler", (await client.RestartActorAsync("/scheduler", cancellationToken: Ct)).Path);
        while ((await client.GetActorsAsync("/scheduler", cancellationToken: Ct)).Actor.Restarts == 0)
            Ct.ThrowIfCancellationRequested();
        var tenant = await server.ClientAsync();
        while (true)
        {
            try
            {
                var goal = await tenant.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct);
                Assert.Equal(GoalState.Completed, (await tenant.FinishAsync(goal.Id, Ct)).State);
                break;
            }
            catch (AstraException e) when (e.Status == 503)
            {
                // The shards are being read again.
            }
        }
    }

    [Theory]
    [InlineData("/nobody", 404)]
    [InlineData("/", 409)]
    [InlineData("/shards", 409)]
    [InlineData("/journal-writer", 409)]
    [InlineData("/shards/shard-17", 409)]
    public async Task A_stop_that_would_break_the_node_is_refused_with_the_reason(string path, int status)
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.StopActorAsync(path, cancellationToken: Ct));
        Assert.Equal(status, refused.Status);
        Assert.EndsWith(".", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/v1/actors?depth=65", 400)]
    [InlineData("/api/v1/actors?limit=1001", 400)]
    [InlineData("/api/v1/actors?depth=-1", 400)]
    [InlineData("/api/v1/actors?under=%2Fnobody", 404)]
    [InlineData("/api/v1/actors?node=nowhere", 404)]
    [InlineData("/api/v1/vitals?node=nowhere", 404)]
    public async Task A_question_that_makes_no_sense_is_a_problem_with_a_sentence(string path, int status)
    {
        await using var server = await ServerFixture.StartAsync();
        Assert.Equal(status, (await Problems.ReadAsync(await (await server.RawAsync()).GetAsync(path, Ct), Ct)).Status);
    }

    [Fact]
    public async Task Actors_are_for_whoever_runs_the_server()
    {
        await using var server = await ServerFixture.StartAsync();
        foreach (var client in new[] { await server.ClientAsync(role: Role.Member), await server.ClientAsync(new TenantId(Guid.NewGuid())) })
        {
            Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => client.GetActorsAsync(cancellationToken: Ct))).Status);
            Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => client.GetVitalsAsync(cancellationToken: Ct))).Status);
            Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => client.RestartActorAsync("/shards", cancellationToken: Ct))).Status);
            Assert.Equal(403, (await Assert.ThrowsAsync<AstraException>(() => client.StopActorAsync("/shards", cancellationToken: Ct))).Status);
        }
    }

    [Fact]
    public async Task Any_node_answers_for_the_actors_of_any_other()
    {
        var world = new ServerWorld();
        await using var one = await ServerFixture.StartAsync(world, "one");
        await using var two = await ServerFixture.StartAsync(world, "two");
        var client = await one.ClientAsync();
        while ((await one.SummariseAsync()).Nodes.Count < 2)
            Ct.ThrowIfCancellationRequested();
        Assert.Equal("two", (await client.GetActorsAsync(node: "two", cancellationToken: Ct)).NodeId);
        Assert.Equal("two", (await client.GetVitalsAsync("two", Ct)).NodeId);
        Assert.Equal("one", (await client.GetVitalsAsync("one", Ct)).NodeId);
        await client.RestartActorAsync("/projector", "two", Ct);
        while ((await client.GetActorsAsync("/projector", node: "two", cancellationToken: Ct)).Actor.Restarts == 0)
            Ct.ThrowIfCancellationRequested();
        Assert.Equal(0, (await client.GetActorsAsync("/projector", cancellationToken: Ct)).Actor.Restarts);
    }

    [Fact]
    public async Task Vitals_count_what_has_happened_and_what_waits()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        for (var i = 0; i < 3; i++)
            await client.FinishAsync((await client.SubmitAsync(new GoalSubmission { Agent = "echo" }, cancellationToken: Ct)).Id, Ct);
        await client.SubmitAsync(new GoalSubmission { Agent = "nobody" }, cancellationToken: Ct);
        VitalsView vitals;
        do
            vitals = await client.GetVitalsAsync(cancellationToken: Ct);
        while (vitals.TasksWithoutWorker == 0 || vitals.SlotsTaken > 0);
        Assert.Equal(4, vitals.Counters.Submitted);
        Assert.True(vitals.Counters is { Completed: >= 3, Commits: > 0, CommitSeconds: > 0 });
        Assert.Equal(vitals.Counters.Started, vitals.Counters.Completed);
        Assert.Equal(new TenantVitals(server.Home.Value, 1, 0), Assert.Single(vitals.Tenants));
        Assert.True(vitals.Actors.Actors > 4096);
        Assert.NotEmpty(vitals.BusiestActors);
    }
}
