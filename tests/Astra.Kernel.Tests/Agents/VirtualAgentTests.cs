using System.Text;
using Astra.Kernel.Actors;
using Astra.Kernel.Agents;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Agents;

public sealed class VirtualAgentTests
{
    private World _world = World.With();

    [Fact]
    public void The_first_message_wakes_an_agent()
    {
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Assert.Empty(Awake());

        Assert.Equal("1", Send(agent, "add"));

        Assert.Equal([$"{agent} add"], worker.Seen);
        Assert.Equal([$"/agents/{agent}@{_world.Tenant}"], Awake());
    }

    [Fact]
    public void A_thousand_messages_at_once_load_an_agent_once_and_each_gets_its_turn()
    {
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");

        var pending = Enumerable.Range(0, 1_000).Select(number => Begin(agent, $"m{number}")).ToArray();
        _world.RunUntilQuiet();

        Assert.Equal(Enumerable.Range(1, 1_000).Select(count => $"{count}"), pending.Select(Text));
        Assert.Equal(Enumerable.Range(0, 1_000).Select(number => $"{agent} m{number}"), worker.Seen);
        Assert.Equal(1, worker.AtOncePerAgentMax);
        Assert.Equal(1, _world.Store.Agents.LoadCount);
    }

    [Fact]
    public void An_idle_agent_falls_asleep_and_its_state_survives()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        _world.Advance(seconds: 250);
        Assert.Single(Awake());

        _world.Advance(seconds: 60);
        Assert.Empty(Awake());
        Assert.Equal("2", Send(agent, "add"));
        Assert.Equal(2, _world.Store.Agents.LoadCount);
    }

    [Fact]
    public void An_agent_that_says_when_it_sleeps_is_put_to_sleep_then()
    {
        var worker = new AgentWorker(_world.Node);
        var (hasty, other) = (Create("hasty", idle: TimeSpan.FromSeconds(10)), Create("other"));
        Send(hasty, "add");
        Send(other, "add");
        _world.Advance(seconds: 8);
        Send(hasty, "add");
        _world.Advance(seconds: 8);
        Assert.Equal(2, Awake().Count);
        var busy = Begin(hasty, "wait");
        _world.Advance(seconds: 20);
        Assert.Equal(2, Awake().Count);
        worker.Release();
        Assert.Equal("3", Text(busy));

        _world.Advance(seconds: 12);
        Assert.Equal([$"/agents/{other}@{_world.Tenant}"], Awake());
    }

    [Fact]
    public void A_message_that_comes_while_the_agent_falls_asleep_wakes_it_again()
    {
        _world = World.With(limits: new KernelLimits { ActiveAgentsMax = 1 });
        _ = new AgentWorker(_world.Node);
        var (first, second) = (Create("first"), Create("second"));
        Send(first, "add");

        var toSecond = Begin(second, "add");
        var toFirst = Begin(first, "add");
        _world.RunUntilQuiet();

        Assert.Equal("1", Text(toSecond));
        Assert.Equal("2", Text(toFirst));
    }

    [Fact]
    public void Without_room_the_agent_that_was_idle_longest_sleeps_and_a_node_full_of_busy_ones_refuses()
    {
        _world = World.With(limits: new KernelLimits { ActiveAgentsMax = 2 });
        var worker = new AgentWorker(_world.Node);
        var agents = new[] { Create("a"), Create("b"), Create("c") };
        Send(agents[0], "add");
        Send(agents[1], "add");
        Send(agents[0], "add");
        Send(agents[2], "add");
        _world.RunUntilQuiet();
        Assert.Equal([$"/agents/{agents[0]}@{_world.Tenant}", $"/agents/{agents[2]}@{_world.Tenant}"], Awake());

        Begin(agents[0], "wait");
        Begin(agents[2], "wait");
        var refusal = Refused(agents[1], "add");
        Assert.Equal(RefusalKind.Overloaded, refusal.Kind);
        Assert.NotNull(refusal.RetryAfter);
        Assert.Contains("awake and busy", refusal.Reason, StringComparison.Ordinal);
        worker.Release();
        Assert.Equal("2", Send(agents[1], "add"));
    }

    [Fact]
    public void Large_states_send_idle_agents_to_sleep_before_their_time()
    {
        _world = World.With(limits: new KernelLimits { ActiveAgentStateBytesMax = 0 });
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");

        Assert.Equal("1", Send(agent, "add"));
        _world.RunUntilQuiet();

        Assert.Empty(Awake());
        Assert.Equal("2", Send(agent, "add"));
    }

    [Fact]
    public void A_full_mailbox_refuses_with_a_time_to_come_back()
    {
        _world = World.With(limits: new KernelLimits { AgentMailboxMax = 2 });
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        var taken = new[] { Begin(agent, "wait"), Begin(agent, "add"), Begin(agent, "add") };

        var refusal = Refused(agent, "add");

        Assert.Equal((RefusalKind.Overloaded, TimeSpan.FromSeconds(1)), (refusal.Kind, refusal.RetryAfter));
        worker.Release();
        Assert.Equal(["1", "2", "3"], taken.Select(Text));
    }

    [Fact]
    public void A_change_is_durable_before_anybody_hears_of_it_and_a_look_saves_nothing()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        Assert.Equal(("1", 1L), (Encoding.UTF8.GetString(Row(agent).State.Span), Row(agent).StateVersion));

        Assert.Equal("1", Send(agent, "?"));
        Assert.Equal(1, Row(agent).StateVersion);
    }

    [Fact]
    public void A_deposed_owner_saves_nothing_and_says_nothing_untrue()
    {
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        var (change, look) = (Begin(agent, "wait"), Begin(agent, "?"));

        // Somebody else is the owner now, and this node has not heard of it yet.
        _ = _world.Store.Leases.RenewAsync(_world.Node.Kernel.Self with { Incarnation = Guid.NewGuid() }, [], CancellationToken.None).AsTask();
        worker.Release();

        Assert.Equal(RefusalKind.Unavailable, change.Answer.Refusal!.Kind);
        Assert.Equal(RefusalKind.Unavailable, look.Answer.Refusal!.Kind);
        Assert.Equal(("1", 1L), (Encoding.UTF8.GetString(Row(agent).State.Span), Row(agent).StateVersion));
        Assert.Empty(Awake());
    }

    [Fact]
    public void A_node_whose_lease_is_over_wakes_nobody()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        _world.Node.Begin(async node => { await node.DisposeAsync(); return true; });

        Assert.Equal(RefusalKind.Unavailable, Refused(agent, "?").Kind);
    }

    [Fact]
    public void What_was_awake_when_the_node_crashed_is_reached_by_sending_to_it()
    {
        _ = new AgentWorker(_world.Node);
        var agents = Enumerable.Range(0, 20).Select(number => Create($"agent{number}")).ToArray();
        foreach (var agent in agents)
            Send(agent, "add");

        _world.Node.Restart();
        _ = new AgentWorker(_world.Node);

        Assert.All(agents, agent => Assert.Equal("2", Send(agent, "add")));
    }

    [Fact]
    public void A_failing_agent_is_started_anew_and_its_neighbours_notice_nothing()
    {
        var worker = new AgentWorker(_world.Node);
        var (poor, well) = (Create("poor"), Create("well"));
        Send(poor, "add");
        Send(well, "add");

        var refusal = Refused(poor, "fail");
        var queued = Begin(poor, "add");
        Assert.Equal("2", Send(well, "add"));

        Assert.Equal((RefusalKind.Failed, $"Agent {poor} failed on the message: it cannot count. Its state is as it was."), (refusal.Kind, refusal.Reason));
        _world.Advance(seconds: 1);
        Assert.Equal("2", Text(queued));
        var tree = Tree();
        Assert.Contains("it cannot count", tree[poor].LastFailure!.Message, StringComparison.Ordinal);
        Assert.Equal((1, 0), (tree[poor].RestartCount, tree[well].RestartCount));
        // Once each, and once more for the one that started anew from its row.
        Assert.Equal(3, _world.Store.Agents.LoadCount);
        Assert.Equal(5, worker.Seen.Count);
    }

    [Fact]
    public void An_agent_that_fails_and_fails_is_stopped_and_the_next_message_wakes_it()
    {
        _ = new AgentWorker(_world.Node);
        var (poor, well) = (Create("poor"), Create("well"));
        Send(well, "add");
        for (var failure = 0; failure < new KernelLimits().AgentFailuresMax; failure++)
            Assert.Equal(RefusalKind.Failed, Refused(poor, "fail").Kind);
        _world.RunUntilQuiet();

        Assert.Equal([$"/agents/{well}@{_world.Tenant}"], Awake());
        Assert.Equal(0, Tree()[well].RestartCount);
        Assert.Equal("1", Send(poor, "add"));
    }

    [Theory]
    [InlineData("/agents")]
    [InlineData("/agent-states")]
    [InlineData("/shards")]
    [InlineData("/")]
    public void A_part_of_the_node_that_is_restarted_costs_no_agent_its_state(string path)
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");

        Assert.True(_world.Node.Kernel.Actors.Restart(path, "ada").IsOk);
        _world.Advance(seconds: 10);

        Assert.Equal("2", Send(agent, "add"));
    }

    [Fact]
    public void An_operator_may_stop_an_agent_and_the_next_message_wakes_it()
    {
        _ = new AgentWorker(_world.Node);
        var (agent, other) = (Create("counter"), Create("other"));
        Send(agent, "add");
        Send(other, "add");

        Assert.True(_world.Node.Kernel.Actors.Stop($"/agents/{agent}@{_world.Tenant}", "ada").IsOk);
        _world.RunUntilQuiet();

        Assert.Equal([$"/agents/{other}@{_world.Tenant}"], Awake());
        Assert.Equal("2", Send(agent, "add"));
    }

    [Fact]
    public void A_message_that_the_agent_refuses_does_it_no_harm()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        var refusal = Refused(agent, "no");

        Assert.Equal((RefusalKind.Invalid, "It does not take that."), (refusal.Kind, refusal.Reason));
        Assert.Equal(0, Tree()[agent].RestartCount);
    }

    [Fact]
    public void A_message_whose_worker_disconnects_has_no_answer_and_the_state_is_as_it_was()
    {
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        var lost = Begin(agent, "wait");
        worker.Disconnect();

        Assert.Equal(RefusalKind.Unavailable, lost.Answer.Refusal!.Kind);
        Assert.Contains("its worker disconnected", lost.Answer.Refusal.Reason, StringComparison.Ordinal);
        worker.Release();
        _ = new AgentWorker(_world.Node);
        Assert.Equal("1", Send(agent, "?"));
        Assert.Equal(0, Tree()[agent].RestartCount);
    }

    [Fact]
    public void A_message_past_its_deadline_is_taken_from_the_worker_and_those_behind_it_never_reach_the_agent()
    {
        _world = World.With(limits: new KernelLimits { AgentMessageDeadline = TimeSpan.FromSeconds(5) });
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        var (late, behind) = (Begin(agent, "wait"), Begin(agent, "add"));
        _world.Advance(seconds: 6);

        Assert.Contains("did not answer within 5 seconds", late.Answer.Refusal!.Reason, StringComparison.Ordinal);
        Assert.Contains("never saw it", behind.Answer.Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal([$"{agent} it did not answer within 5 seconds"], worker.Cancelled);
        Assert.Equal([$"{agent} wait"], worker.Seen);
        worker.Release();
        Assert.Equal("0", Send(agent, "?"));
    }

    [Fact]
    public void Without_a_worker_of_its_class_an_agent_cannot_answer()
    {
        var agent = Create("counter");
        var refusal = Refused(agent, "add");
        Assert.Equal(RefusalKind.Unavailable, refusal.Kind);
        Assert.StartsWith("No worker offers agent:counter", refusal.Reason, StringComparison.Ordinal);

        var worker = new AgentWorker(_world.Node, tenant: new TenantId(new Guid(8, 8, 8, new byte[8])));
        Assert.StartsWith("No worker offers agent:counter", Refused(agent, "add").Reason, StringComparison.Ordinal);
        var ours = new AgentWorker(_world.Node);
        Assert.Equal("1", Send(agent, "add"));
        ours.Link.Drain();
        Assert.StartsWith("No worker offers agent:counter", Refused(agent, "add").Reason, StringComparison.Ordinal);
        Assert.Empty(worker.Seen);
    }

    [Fact]
    public void A_worker_with_its_hands_full_gets_nothing_more()
    {
        _world = World.With(limits: new KernelLimits { MessagesPerWorkerMax = 1 });
        var worker = new AgentWorker(_world.Node);
        var (first, second) = (Create("first"), Create("second"));
        Begin(first, "wait");

        Assert.Equal(RefusalKind.Overloaded, Refused(second, "add").Kind);
        _ = new AgentWorker(_world.Node);
        Assert.Equal("1", Send(second, "add"));
        worker.Release();
    }

    [Fact]
    public void Nobody_finds_an_agent_that_is_not_there_or_is_another_tenants()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        var nobody = _world.Key("nobody");
        Assert.Equal(RefusalKind.NotFound, Refused(nobody, "add").Kind);
        Assert.Empty(Awake());

        var stranger = new Caller(new TenantId(new Guid(9, 9, 9, new byte[8])), "eve");
        var name = Enumerable.Range(0, int.MaxValue).Select(number => $"counter-{number}").First(name => World.Shards.Contains(ShardId.OfName(stranger.Tenant, name)));
        Create(name, exact: true);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.Agents.SendAsync(stranger, name, Bytes("?"))).Kind);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.Agents.RemoveAsync(stranger, name)).Kind);
        Assert.Equal("1", Send(agent, "add"));
    }

    [Fact]
    public void A_removed_agent_is_gone_behind_what_it_had_in_hand()
    {
        var worker = new AgentWorker(_world.Node);
        var agent = Create("counter");
        var last = Begin(agent, "wait");
        var removal = _world.Node.Begin(node => node.Agents.RemoveAsync(_world.Caller, agent));
        Assert.False(removal.IsAnswered);
        worker.Release();

        Assert.Equal("1", Text(last));
        Assert.True(removal.Answer.IsOk);
        Assert.Equal(RefusalKind.NotFound, Refused(agent, "?").Kind);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.Agents.RemoveAsync(_world.Caller, agent)).Kind);
        _world.RunUntilQuiet();
        Assert.Empty(Awake());
    }

    [Fact]
    public void What_is_too_large_is_refused_and_changes_nothing()
    {
        _ = new AgentWorker(_world.Node);
        var agent = Create("counter");
        Send(agent, "add");
        Assert.Equal(RefusalKind.Invalid, Refused(agent, new string('x', 300_000)).Kind);

        var state = Refused(agent, "large");
        Assert.Equal(RefusalKind.Failed, state.Kind);
        Assert.Contains("state of 1000000 bytes", state.Reason, StringComparison.Ordinal);
        Assert.Equal("1", Send(agent, "?"));
    }

    [Fact]
    public void An_agent_of_another_nodes_shard_is_refused_with_the_way_there()
    {
        _world = World.With(nodes: 2);
        foreach (var node in _world.Nodes)
            _ = new AgentWorker(node);
        var agents = Enumerable.Range(0, 12).Select(number => Create($"agent{number}")).ToArray();

        var answers = agents.Select(agent => _world.Nodes.Select(node => node.Ask(kernel => kernel.Agents.SendAsync(_world.Caller, agent, Bytes("add")))).ToArray()).ToArray();

        Assert.All(answers, both =>
        {
            Assert.Single(both, answer => answer.IsOk);
            Assert.Equal(RefusalKind.Elsewhere, Assert.Single(both, answer => !answer.IsOk).Refusal!.Kind);
        });
        Assert.All(_world.Nodes, node => Assert.NotEmpty(AwakeOn(node)));
    }

    [Fact]
    public void Agents_that_sleep_are_asked_for_by_nobody()
    {
        _ = new AgentWorker(_world.Node);
        for (var number = 0; number < 1_000; number++)
            Create($"agent{number}");
        _world.Advance(seconds: 600);

        Assert.Equal(0, _world.Store.Agents.LoadCount);
        Assert.Empty(Awake());
    }

    /// <returns>Its name, in a shard that is open here.</returns>
    private string Create(string name, TimeSpan? idle = null, bool exact = false)
    {
        var chosen = exact ? name : _world.Key(name);
        _ = _world.Store.Agents.CreateAsync(_world.Tenant, [new AgentDefinition(chosen, "counter", IdleTimeout: idle)], CancellationToken.None).AsTask();
        return chosen;
    }

    private string Send(string agent, string message) =>
        Encoding.UTF8.GetString(_world.Node.Ask(node => node.Agents.SendAsync(_world.Caller, agent, Bytes(message))).Value.Bytes.Span);

    private Pending<Answer<AgentReply>> Begin(string agent, string message) => _world.Node.Begin(node => node.Agents.SendAsync(_world.Caller, agent, Bytes(message)));

    private Refusal Refused(string agent, string message) => _world.Node.Refused(node => node.Agents.SendAsync(_world.Caller, agent, Bytes(message)));

    private static string Text(Pending<Answer<AgentReply>> pending) => Encoding.UTF8.GetString(pending.Answer.Value.Bytes.Span);

    private AgentRow Row(string agent) => _world.Node.Do(_ => _world.Store.Agents.LoadAsync(_world.Tenant, agent, CancellationToken.None))!;

    private IReadOnlyList<string> Awake() => AwakeOn(_world.Node);

    private static IReadOnlyList<string> AwakeOn(TestNode node) => [.. RegionOf(node).Children.Select(child => child.Path)];

    /// <summary>Those that are awake, by name.</summary>
    private Dictionary<string, ActorSnapshot> Tree() => RegionOf(_world.Node).Children.ToDictionary(child => child.Path["/agents/".Length..].Split('@')[0]);

    private static ActorSnapshot RegionOf(TestNode node) => node.Kernel.InspectActors().Children.Single(actor => actor.Path == "/agents");

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
