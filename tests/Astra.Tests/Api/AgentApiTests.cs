using System.Net;
using System.Text;
using System.Text.Json;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Counter;

namespace Astra.Tests.Api;

/// <summary>Agents and messages over REST, with agents in the server's process and in workers over the protocol.</summary>
public sealed class AgentApiTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_wakes_an_agent_and_its_answer_comes_back()
    {
        await using var server = await ServerFixture.StartAsync(new CounterAgent());
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits", "sales");

        Assert.Equal(2, await AddAsync(client, "visits", 2));
        Assert.Equal(5, await AddAsync(client, "visits", 3));
        Assert.Equal(1, await AddAsync(client, "sales", 1));

        var view = await client.GetAgentAsync("visits", Ct);
        Assert.Equal(("counter", 2L, 5L, 1), (view.Class, view.StateVersion, view.State!.Value.GetProperty("count").GetInt64(), view.WorkerCount));
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task A_remote_worker_runs_what_agents_of_its_class_do_with_messages()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        var refusal = await Assert.ThrowsAsync<AstraException>(() => AddAsync(client, "visits", 1));
        Assert.Equal(503, refusal.Status);
        Assert.StartsWith("No worker offers agent:counter", refusal.Message, StringComparison.Ordinal);

        using var stop = new CancellationTokenSource();
        var working = new AstraWorker(server.Address, await server.NewKeyAsync(Role.Member)).Add(new CounterAgent()).RunAsync(stop.Token);
        await EventuallyOffersAsync(client, "visits");
        var counts = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => AddAsync(client, "visits", 1)));
        Assert.Equal(Enumerable.Range(1, 100).Select(count => (long)count), counts.Order());
        await stop.CancelAsync();
        await working.WaitAsync(Ct);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task What_an_agent_refuses_is_said_and_what_it_fails_on_is_said_too()
    {
        await using var server = await ServerFixture.StartAsync(new CounterAgent(), new MoodyAgent(), TestAgent.Echo());
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        await client.RegisterAgentAsync(new AgentRegistration("moody"), Ct);
        await client.RegisterAgentAsync(new AgentRegistration("echo"), Ct);

        Assert.Equal((422, "A counter only goes up, and -1 is below zero."), await RefusalAsync(client, "visits", new { add = -1 }));
        var wrong = await RefusalAsync(client, "visits", "seven");
        Assert.Equal(422, wrong.Status);
        Assert.Contains("takes a Command", wrong.Message, StringComparison.Ordinal);
        Assert.Equal((502, "Agent moody failed on the message: not today. Its state is as it was."), await RefusalAsync(client, "moody", "hello"));
        Assert.Equal((422, "Agent echo takes no messages."), await RefusalAsync(client, "echo", "hello"));
        Assert.Equal((404, "There is no agent nobody; `agent create nobody` makes one."), await RefusalAsync(client, "nobody", "hello"));
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task What_is_no_message_is_refused_at_the_door()
    {
        await using var server = await ServerFixture.StartAsync(new CounterAgent());
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        var raw = await server.RawAsync();

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await PostAsync(raw, $"\"{new string('x', 300_000)}\""));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(raw, "{\"add\":"));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(raw, ""));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await PostAsync(raw, "{}", "text/plain"));
        Assert.Equal(0, (await client.GetAgentAsync("visits", Ct)).StateVersion);

        static async Task<HttpStatusCode> PostAsync(HttpClient raw, string body, string type = "application/json")
        {
            using var answer = await raw.PostAsync("/api/v1/agents/visits/messages", new StringContent(body, Encoding.UTF8, type), Ct);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_worker_that_vanishes_leaves_its_message_without_an_answer_and_one_that_comes_late_is_not_heard()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        await using (var lost = await RawWorker.ConnectAsync(server))
        {
            await lost.HelloAsync(agent: "counter", messages: true);
            var asked = RefusalAsync(client, "visits", new { add = 1 });
            await lost.NextAsync<ServerFrame.Message>();
            lost.Abort();
            var refusal = await asked;
            Assert.Equal(503, refusal.Status);
            Assert.Contains("its worker disconnected", refusal.Message, StringComparison.Ordinal);
        }

        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync(agent: "counter", messages: true);
        var pending = client.SendAsync("visits", AstraJson.ToElement(new { add = 1 }), Ct);
        var message = await worker.NextAsync<ServerFrame.Message>();
        Assert.Equal(("visits", "counter", 0L), (message.Agent, message.Class, message.StateVersion));
        Assert.Null(message.State);
        worker.Send(new WorkerFrame.MessageDone(Guid.NewGuid(), AstraJson.ToElement("of another call")));
        worker.Send(new WorkerFrame.MessageDone(message.CallId, AstraJson.ToElement("done"), AstraJson.ToElement(new { count = 7 })));
        Assert.Equal("done", (await pending)!.Value.GetString());
        Assert.Equal(7, (await client.GetAgentAsync("visits", Ct)).State!.Value.GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task A_worker_that_does_not_know_messages_is_sent_none()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        await using var worker = await RawWorker.ConnectAsync(server);
        await worker.HelloAsync(agent: "counter", messages: false);

        var refusal = await RefusalAsync(client, "visits", new { add = 1 });
        Assert.StartsWith("No worker offers agent:counter", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Agents_are_listed_page_by_page_and_created_in_batches_once()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        var batch = Enumerable.Range(100, 120).Select(number => new AgentRegistration($"tally-{number}") { Class = "counter", IdleSeconds = 30 }).ToList();
        Assert.Equal(new AgentBatchAnswer(120, 0), await client.CreateAgentsAsync(batch, Ct));
        Assert.Equal(new AgentBatchAnswer(1, 119), await client.CreateAgentsAsync([new AgentRegistration("another"), .. batch.Skip(1)], Ct));

        var names = new List<string>();
        string? cursor = null;
        do
        {
            var page = await client.ListAgentsAsync(cursor, 50, Ct);
            names.AddRange(page.Items.Select(agent => agent.Name));
            cursor = page.Next;
        }
        while (cursor is not null);
        Assert.Equal(["another", .. batch.Select(agent => agent.Name)], names);
        Assert.Equal(30, (await client.GetAgentAsync("tally-100", Ct)).IdleSeconds);
    }

    [Fact]
    public async Task A_bad_agent_is_refused_with_what_is_wrong_with_it()
    {
        await using var server = await ServerFixture.StartAsync();
        var client = await server.ClientAsync();
        await client.RegisterAgentAsync(new AgentRegistration("visits") { Class = "counter" }, Ct);

        Assert.Equal(409, (await Assert.ThrowsAsync<AstraException>(() => client.RegisterAgentAsync(new AgentRegistration("visits") { Class = "other" }, Ct))).Status);
        foreach (var bad in (AgentRegistration[])[new("Visits"), new("visits") { Class = "a b" }, new("visits") { IdleSeconds = 0 }, new("visits", "two\nlines")])
        {
            Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.RegisterAgentAsync(bad, Ct))).Status);
            Assert.StartsWith("Agent 2 of the batch:", (await Assert.ThrowsAsync<AstraException>(() => client.CreateAgentsAsync([new("fine"), bad], Ct))).Message, StringComparison.Ordinal);
        }
        Assert.Contains("two agents named twice", (await Assert.ThrowsAsync<AstraException>(() => client.CreateAgentsAsync([new("twice"), new("twice")], Ct))).Message, StringComparison.Ordinal);
        Assert.Equal(422, (await Assert.ThrowsAsync<AstraException>(() => client.CreateAgentsAsync([], Ct))).Status);
        Assert.Equal(400, (await Assert.ThrowsAsync<AstraException>(() => client.ListAgentsAsync("No Cursor", 5, Ct))).Status);
        Assert.Equal(["visits"], (await client.ListAgentsAsync(cancellationToken: Ct)).Items.Select(agent => agent.Name));
    }

    [Fact]
    public async Task A_removed_agent_is_gone_and_one_of_the_same_name_begins_anew()
    {
        await using var server = await ServerFixture.StartAsync(new CounterAgent());
        var client = await server.ClientAsync();
        await CreateAsync(client, "visits");
        await AddAsync(client, "visits", 2);

        await client.RemoveAgentAsync("visits", Ct);

        Assert.Equal(404, (await RefusalAsync(client, "visits", new { add = 1 })).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.RemoveAgentAsync("visits", Ct))).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => client.GetAgentAsync("visits", Ct))).Status);
        await CreateAsync(client, "visits");
        Assert.Equal(1, await AddAsync(client, "visits", 1));
    }

    [Fact]
    public async Task The_agents_of_another_tenant_do_not_exist()
    {
        await using var server = await ServerFixture.StartAsync(new CounterAgent());
        var (client, stranger) = (await server.ClientAsync(), await server.ClientAsync(new TenantId(Guid.NewGuid())));
        await CreateAsync(client, "visits");
        await AddAsync(client, "visits", 2);

        Assert.Equal(404, (await RefusalAsync(stranger, "visits", new { add = 1 })).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => stranger.GetAgentAsync("visits", Ct))).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<AstraException>(() => stranger.RemoveAgentAsync("visits", Ct))).Status);
        Assert.Empty((await stranger.ListAgentsAsync(cancellationToken: Ct)).Items);
        Assert.Equal(3, await AddAsync(client, "visits", 1));
    }

    [Fact]
    public async Task A_goal_for_an_agent_is_done_by_the_code_of_its_class()
    {
        await using var server = await ServerFixture.StartAsync(TestAgent.Echo());
        var client = await server.ClientAsync();
        await client.RegisterAgentAsync(new AgentRegistration("parrot") { Class = "echo" }, Ct);

        var goal = await client.SubmitAsync(new GoalSubmission { Agent = "parrot", Input = AstraJson.ToElement("hello") }, cancellationToken: Ct);

        var done = await client.FinishAsync(goal.Id, Ct);
        Assert.Equal((Sdk.GoalState.Completed, "hello", "parrot"), (done.State, done.Result!.Value.GetString(), done.Agent));
        Assert.All((await client.GetPlanAsync(goal.Id, Ct)).Tasks, task => Assert.Equal("agent:echo", task.Executor));
    }

    private static async Task CreateAsync(AstraClient client, params string[] names)
    {
        foreach (var name in names)
            await client.RegisterAgentAsync(new AgentRegistration(name) { Class = "counter" }, Ct);
    }

    private static async Task<long> AddAsync(AstraClient client, string agent, long amount) =>
        (await client.SendAsync(agent, AstraJson.ToElement(new { add = amount }), Ct))!.Value.GetProperty("count").GetInt64();

    private static async Task<(int Status, string Message)> RefusalAsync(AstraClient client, string agent, object message)
    {
        var refusal = await Assert.ThrowsAsync<AstraException>(() => client.SendAsync(agent, AstraJson.ToElement(message), Ct));
        return (refusal.Status, refusal.Message);
    }

    private static async Task EventuallyOffersAsync(AstraClient client, string agent)
    {
        while ((await client.GetAgentAsync(agent, Ct)).WorkerCount == 0)
            await Task.Delay(10, Ct);
    }

    private sealed class MoodyAgent : Agent<object>
    {
        public override string Name => "moody";

        protected override ValueTask<object?> ReceiveAsync(MessageTurn turn, object state, CancellationToken cancellationToken) => throw new InvalidOperationException("not today");
    }
}
