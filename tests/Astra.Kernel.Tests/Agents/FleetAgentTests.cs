using System.Text;
using Astra.Kernel.Agents;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Agents;

/// <summary>Agents whose workers are connected to another node than the one they live on.</summary>
public sealed class FleetAgentTests
{
    // Nodes of two versions refuse each other's questions; it is on no disk.
    private const byte Version = 2;
    private const byte Run = 101;
    private const byte Refusal = 3;
    private const byte Ended = 101;
    private const byte Lost = 5;

    private World _world = World.With(nodes: 2);

    [Fact]
    public void A_worker_of_one_node_runs_the_agents_of_every_node()
    {
        var worker = new AgentWorker(_world.Nodes[1]);
        var agents = Create(12);

        foreach (var agent in agents)
            Assert.Equal(["1", "2"], [Send(agent, "add"), Send(agent, "add")]);

        Assert.Equal(agents.SelectMany(agent => (string[])[$"{agent} add", $"{agent} add"]), worker.Seen);
        Assert.All(_world.Nodes, node => Assert.NotEmpty(AwakeOn(node)));
        Assert.All(agents, agent => Assert.Equal(("2", 2L), (Encoding.UTF8.GetString(Row(agent).State.Span), Row(agent).StateVersion)));
    }

    [Fact]
    public void A_stampede_over_the_bus_loads_an_agent_once_and_each_message_has_its_turn()
    {
        var (agent, owner, other) = OneOfEach();
        var worker = new AgentWorker(other);

        var pending = Enumerable.Range(0, 500).Select(number => Begin(owner, agent, $"m{number}")).ToArray();
        _world.RunUntilQuiet();

        Assert.Equal(Enumerable.Range(1, 500).Select(count => $"{count}"), pending.Select(Text));
        Assert.Equal(Enumerable.Range(0, 500).Select(number => $"{agent} m{number}"), worker.Seen);
        Assert.Equal((1, 1), (worker.AtOncePerAgentMax, _world.Store.Agents.LoadCount));
    }

    [Fact]
    public void A_worker_of_the_agents_own_node_comes_first()
    {
        var (agent, owner, other) = OneOfEach();
        var (near, far) = (new AgentWorker(owner), new AgentWorker(other));

        Assert.Equal("1", Send(agent, "add"));

        Assert.Equal((1, 0), (near.Seen.Count, far.Seen.Count));
        Assert.Empty(_world.Bus.Questions);
    }

    [Fact]
    public void A_worker_elsewhere_helps_out_when_those_here_have_their_hands_full()
    {
        _world = World.With(nodes: 2, new KernelLimits { MessagesPerWorkerMax = 1 });
        var (agent, owner, other) = OneOfEach();
        var second = Create(40).First(one => one != agent && OwnerOf(one) == owner);
        var (near, far) = (new AgentWorker(owner), new AgentWorker(other));
        var waits = Begin(owner, agent, "wait");

        Assert.Equal("1", Send(second, "add"));

        Assert.Equal([$"{second} add"], far.Seen);
        near.Release();
        Assert.Equal("1", Text(waits));
    }

    [Fact]
    public void Workers_of_two_other_nodes_share_the_messages()
    {
        _world = World.With(nodes: 3);
        var (agent, owner) = Create(40).Select(agent => (agent, OwnerOf(agent))).First(one => one.Item2 == _world.Node);
        var workers = new[] { new AgentWorker(_world.Nodes[1]), new AgentWorker(_world.Nodes[2]) };

        for (var message = 1; message <= 10; message++)
            Assert.Equal($"{message}", Text(owner, agent, "add"));

        Assert.All(workers, worker => Assert.Equal(5, worker.Seen.Count));
    }

    [Fact]
    public void Whoever_takes_over_from_a_worker_that_left_is_found_wherever_it_connects()
    {
        _world = World.With(nodes: 3);
        var agent = Create(40).First(agent => OwnerOf(agent) == _world.Node);
        var before = new AgentWorker(_world.Nodes[1]);
        Assert.Equal("1", Send(agent, "add"));
        before.Disconnect();
        _ = new AgentWorker(_world.Nodes[2]);

        Assert.Equal("2", Send(agent, "add"));
    }

    [Fact]
    public void When_nobody_offers_the_class_the_refusal_says_so_and_a_worker_that_connects_is_found()
    {
        var (agent, owner, other) = OneOfEach();
        _ = new AgentWorker(other, tenant: new TenantId(new Guid(8, 8, 8, new byte[8])));
        var refusal = Refused(owner, agent, "add");
        Assert.Equal(RefusalKind.Unavailable, refusal.Kind);
        Assert.StartsWith("No worker offers agent:counter on any node", refusal.Reason, StringComparison.Ordinal);

        _ = new AgentWorker(other);
        _world.Advance(seconds: 1);
        Assert.Equal("1", Send(agent, "add"));
    }

    [Fact]
    public void A_stampede_that_nobody_can_serve_asks_the_fleet_a_few_times_only()
    {
        var owner = _world.Node;
        var agents = Create(400).Where(agent => OwnerOf(agent) == owner).ToArray();
        Assert.True(agents.Length > 100, "There are too few agents.");
        _world.Bus.Questions.Clear();

        var pending = agents.Select(agent => Begin(owner, agent, "add")).ToArray();
        _world.RunUntilQuiet();

        Assert.All(pending, one => Assert.Equal(RefusalKind.Unavailable, one.Answer.Refusal!.Kind));
        Assert.Single(_world.Bus.Questions);
    }

    [Fact]
    public void When_the_node_with_the_worker_dies_its_message_is_lost_and_the_agent_is_reached_through_another()
    {
        _world = World.With(nodes: 3);
        var agent = Create(40).First(agent => OwnerOf(agent) == _world.Node);
        _ = new AgentWorker(_world.Nodes[1]);
        Assert.Equal("1", Send(agent, "add"));
        var lost = Begin(_world.Node, agent, "wait");
        _world.Nodes[1].Crash();
        _ = new AgentWorker(_world.Nodes[2]);
        Assert.False(lost.IsAnswered);

        // As soon as the fleet knows, and long before the end of the message's time.
        _world.Advance(seconds: 15);
        Assert.Contains("is gone", lost.Answer.Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal("2", Send(agent, "add"));
        Assert.Equal(("2", 2L), (Encoding.UTF8.GetString(Row(agent).State.Span), Row(agent).StateVersion));
    }

    [Fact]
    public void When_the_owner_dies_the_next_one_takes_the_message_of_its_agent_from_the_worker()
    {
        _world = World.With(nodes: 3);
        var agent = Create(40).First(agent => OwnerOf(agent) == _world.Node);
        var worker = new AgentWorker(_world.Nodes[2]);
        Assert.Equal("1", Send(agent, "add"));
        Begin(_world.Node, agent, "wait");
        _world.Node.Crash();
        _world.Advance(seconds: 20);

        Assert.Equal("2", Send(agent, "add"));
        Assert.Equal([$"{agent} the agent has another owner now"], worker.Cancelled);
        worker.Release();
        Assert.Equal("2", Send(agent, "?"));
    }

    [Fact]
    public void What_a_deposed_owner_asks_of_a_worker_is_refused()
    {
        var (agent, owner, other) = OneOfEach();
        var worker = new AgentWorker(other);
        Send(agent, "add");
        var old = Assert.Single(_world.Bus.Questions, IsRun);
        owner.Restart();
        _world.Advance(seconds: 10);
        Assert.Equal("2", Send(agent, "add"));
        var seen = worker.Seen.Count;

        // The same message once more, under another number.
        byte[] again = [.. old[..2], .. Guid.NewGuid().ToByteArray(), .. old[18..]];

        Assert.Equal([Version, Refusal, (byte)RefusalKind.Unavailable], AskOf(other, again)[..3]);
        Assert.Equal(seen, worker.Seen.Count);
    }

    [Fact]
    public void A_message_that_the_bus_brings_twice_is_taken_once()
    {
        var (agent, _, other) = OneOfEach();
        var worker = new AgentWorker(other);
        Send(agent, "add");

        var again = AskOf(other, Assert.Single(_world.Bus.Questions, IsRun));

        Assert.Equal([Version, Ended, Lost], again[..3]);
        Assert.Single(worker.Seen);
    }

    [Fact]
    public void An_agent_that_is_stopped_takes_its_message_from_the_worker_elsewhere()
    {
        var (agent, owner, other) = OneOfEach();
        var worker = new AgentWorker(other);
        Send(agent, "add");
        var waits = Begin(owner, agent, "wait");

        Assert.True(owner.Kernel.Actors.Stop($"/agents/{agent}@{_world.Tenant}", "ada").IsOk);
        _world.Advance(seconds: 1);

        Assert.Equal([$"{agent} the agent was stopped while it worked on it"], worker.Cancelled);
        Assert.Equal(RefusalKind.Unavailable, waits.Answer.Refusal!.Kind);
        Assert.Equal("1", Send(agent, "?"));
    }

    [Fact]
    public void A_message_past_its_deadline_is_taken_from_the_worker_elsewhere()
    {
        _world = World.With(nodes: 2, new KernelLimits { AgentMessageDeadline = TimeSpan.FromSeconds(5) });
        var (agent, owner, other) = OneOfEach();
        var worker = new AgentWorker(other);
        var late = Begin(owner, agent, "wait");
        _world.Advance(seconds: 6);

        Assert.Contains("did not answer within 5 seconds", late.Answer.Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal([$"{agent} it did not answer within 5 seconds"], worker.Cancelled);
    }

    [Fact]
    public void Every_way_in_which_a_message_ends_travels()
    {
        var (agent, owner, other) = OneOfEach();
        var worker = new AgentWorker(other);
        Assert.Equal("1", Send(agent, "add"));
        Assert.Equal("1", Send(agent, "?"));
        Assert.Equal((RefusalKind.Invalid, "It does not take that."), Kind(Refused(owner, agent, "no")));
        Assert.Contains("state of 1000000 bytes", Refused(owner, agent, "large").Reason, StringComparison.Ordinal);
        Assert.Equal((RefusalKind.Failed, $"Agent {agent} failed on the message: it cannot count. Its state is as it was."), Kind(Refused(owner, agent, "fail")));
        _world.Advance(seconds: 1);

        var lost = Begin(owner, agent, "wait");
        worker.Disconnect();
        Assert.Contains("its worker disconnected", lost.Answer.Refusal!.Reason, StringComparison.Ordinal);
        Assert.Equal(1, Row(agent).StateVersion);
    }

    [Fact]
    public void A_damaged_question_about_a_message_is_refused()
    {
        var (agent, _, other) = OneOfEach();
        var worker = new AgentWorker(other);
        Send(agent, "add");
        foreach (var question in _world.Bus.Questions.ToArray())
            for (var length = 0; length < question.Length; length++)
                Assert.Equal([Version, Refusal, (byte)RefusalKind.Unavailable], AskOf(other, question[..length])[..3]);
        Assert.Single(worker.Seen);
    }

    // ---- Verbs ----------------------------------------------------------------------------------------------------

    private static (RefusalKind, string) Kind(Kernel.Refusal refusal) => (refusal.Kind, refusal.Reason);

    private static bool IsRun(byte[] question) => question is [Version, Run, ..];

    private byte[] AskOf(TestNode node, byte[] question) => node.Do(kernel => _world.Bus.AskAsync(kernel.Self, question, CancellationToken.None)).ToArray();

    /// <summary>An agent, the node it lives on, and the other one.</summary>
    private (string Agent, TestNode Owner, TestNode Other) OneOfEach()
    {
        var agent = Create(1)[0];
        var owner = OwnerOf(agent);
        return (agent, owner, _world.Nodes.Single(node => node != owner));
    }

    private string[] Create(int count)
    {
        var names = Enumerable.Range(0, int.MaxValue).Select(number => $"agent-{number}").Where(name => World.Shards.Contains(ShardId.OfName(_world.Tenant, name))).Take(count).ToArray();
        _ = _world.Store.Agents.CreateAsync(_world.Tenant, [.. names.Select(name => new AgentDefinition(name, "counter"))], CancellationToken.None).AsTask();
        return names;
    }

    private TestNode OwnerOf(string agent)
    {
        var nowhere = new GoalId(new IdSource(_world.Virtual.Clock, _world.Dice).NewId(ShardId.OfName(_world.Tenant, agent)));
        return _world.Nodes.Single(node => !node.Process.HasCrashed && node.Refused(kernel => kernel.GetGoalAsync(_world.Tenant, nowhere)).Kind == RefusalKind.NotFound);
    }

    private string Send(string agent, string message) => Text(OwnerOf(agent), agent, message);

    private string Text(TestNode node, string agent, string message) =>
        Encoding.UTF8.GetString(node.Ask(kernel => kernel.Agents.SendAsync(_world.Caller, agent, Bytes(message))).Value.Bytes.Span);

    private static string Text(Pending<Answer<AgentReply>> pending) => Encoding.UTF8.GetString(pending.Answer.Value.Bytes.Span);

    private Pending<Answer<AgentReply>> Begin(TestNode node, string agent, string message) => node.Begin(kernel => kernel.Agents.SendAsync(_world.Caller, agent, Bytes(message)));

    private Kernel.Refusal Refused(TestNode node, string agent, string message) => node.Refused(kernel => kernel.Agents.SendAsync(_world.Caller, agent, Bytes(message)));

    private AgentRow Row(string agent) => _world.Nodes.First(node => !node.Process.HasCrashed).Do(_ => _world.Store.Agents.LoadAsync(_world.Tenant, agent, CancellationToken.None))!;

    private static IReadOnlyList<string> AwakeOn(TestNode node) => [.. node.Kernel.InspectActors().Children.Single(actor => actor.Path == "/agents").Children.Select(child => child.Path)];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
