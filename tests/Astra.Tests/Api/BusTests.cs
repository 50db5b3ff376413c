using System.Collections.Concurrent;
using System.Net;
using Astra.Gateway;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Testing.Contracts;
using GoalState = Astra.Sdk.GoalState;

namespace Astra.Tests.Api;

/// <summary>What one node asks another, over HTTP.</summary>
public sealed class BusTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_of_one_node_completes_tasks_whose_shards_have_moved_to_another_and_none_is_done_twice()
    {
        const int GoalCount = 16;
        var world = new ServerWorld();
        await using var one = await ServerFixture.StartAsync(world, "one");
        var client = await one.ClientAsync();
        var started = new ConcurrentBag<string>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var agent = new TestAgent("remote")
        {
            OnPlan = turn =>
            {
                var plan = new Plan();
                plan.Step("work", "work", turn.Goal.Input);
                return plan;
            },
            OnStep = async (turn, _) =>
            {
                started.Add(turn.Input.ToString());
                await release.Task;
                return StepResult.Done(turn.Input);
            },
        };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        var working = new AstraWorker(one.Address, await one.NewKeyAsync()) { Slots = GoalCount }.Add(agent).RunAsync(stop.Token);
        var goals = new List<GoalView>();
        for (var i = 0; i < GoalCount; i++)
            goals.Add(await client.SubmitAsync(new GoalSubmission { Agent = "remote", Input = AstraJson.ToElement(i) }, cancellationToken: Ct));
        while (started.Count < GoalCount)
            await Task.Yield();

        await using var two = await ServerFixture.StartAsync(world, "two");
        while ((await two.SummariseAsync()).ShardsOwned != ShardId.Count / 2 || await GoalsActiveAsync(one) + await GoalsActiveAsync(two) != GoalCount)
            Ct.ThrowIfCancellationRequested();
        Assert.NotEqual(0, await GoalsActiveAsync(two));
        release.SetResult();

        // What comes after the steps that were held is for workers of the node that owns it.
        var workingThere = new AstraWorker(two.Address, await two.NewKeyAsync()).Add(agent).RunAsync(stop.Token);
        foreach (var goal in goals)
            Assert.Equal(GoalState.Completed, (await client.FinishAsync(goal.Id, Ct)).State);
        Assert.Equal(GoalCount, started.Count);
        await stop.CancelAsync();
        await Task.WhenAll(working, workingThere);
    }

    private static async Task<int> GoalsActiveAsync(ServerFixture server) => (await server.SummariseAsync()).GoalsActive;

    [Fact]
    public async Task Whoever_does_not_know_the_secret_is_not_answered()
    {
        var world = new ServerWorld();
        await using var server = await ServerFixture.StartAsync(world, "one");
        byte[] question = [1, 4, .. new byte[17]];
        var now = TimeProvider.System.GetUtcNow();
        var good = world.Fleet.SignQuestion("one", now, question);
        Assert.Equal(HttpStatusCode.OK, await AskAsync(good));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(good with { Signature = "" }));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(good with { Signature = new string('0', 64) }));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(good with { Nonce = FleetSecret.NewNonce() }));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(good, body: [.. question, 0]));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(good, to: "two"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(new FleetSecret(new byte[32]).SignQuestion("one", now, question)));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(world.Fleet.SignQuestion("one", now - 2 * FleetSecret.AgeMax, question)));
        Assert.Equal(HttpStatusCode.MisdirectedRequest, await AskAsync(world.Fleet.SignQuestion("two", now, question), to: "two"));

        async Task<HttpStatusCode> AskAsync(FleetStamp stamp, byte[]? body = null, string to = "one")
        {
            using var http = await server.RawAsync();
            using var request = new HttpRequestMessage(HttpMethod.Post, HttpBus.Path) { Content = new ByteArrayContent(body ?? question) };
            foreach (var (name, value) in new[] { (HttpBus.NodeHeader, to), (HttpBus.AtHeader, stamp.At), (HttpBus.NonceHeader, stamp.Nonce), (HttpBus.SignatureHeader, stamp.Signature) })
                request.Headers.TryAddWithoutValidation(name, value);
            using var answer = await http.SendAsync(request, Ct);
            if (!answer.IsSuccessStatusCode)
                Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task The_way_between_nodes_is_no_part_of_the_public_api()
    {
        await using var server = await ServerFixture.StartAsync();
        using var http = await server.RawAsync();
        Assert.DoesNotContain("fleet", await http.GetStringAsync("/openapi.json", Ct), StringComparison.Ordinal);
    }
}

public sealed class HttpBusTests : BusContract
{
    protected override ValueTask<IBusUnderTest> OpenAsync() => new(new HttpBusUnderTest());

    private sealed class HttpBusUnderTest : IBusUnderTest
    {
        private readonly ServerWorld _world = new();
        private readonly List<ServerFixture> _servers = [];

        public async ValueTask<(IBus Bus, NodeRegistration Self)> JoinAsync(string name)
        {
            var server = await ServerFixture.StartWithoutNodeAsync(_world, name);
            _servers.Add(server);
            return (server.Bus, server.Registration);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var server in _servers)
                await server.DisposeAsync();
        }
    }
}
