using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class PauseTests
{
    private readonly World _world = World.With();

    [Fact]
    public void Nothing_of_a_paused_goal_is_handed_out_and_what_runs_goes_on_to_its_end()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Pause(goal);
        Assert.True(worker.Complete("a").IsOk);
        _world.AssertStates(goal, "a Completed, b Ready");
        Assert.Empty(worker.Holds);
        Resume(goal);
        Assert.Equal(["b"], worker.Holds);
    }

    [Fact]
    public void A_pause_takes_back_what_was_on_offer_and_survives_a_restart()
    {
        var goal = _world.Submit("a");
        Assert.Equal(("ada", "to think"), (Pause(goal).Extras.Pause!.By, Pause(goal).Extras.Pause!.Reason));
        Assert.Empty(_world.Worker().Given);
        _world.Node.Restart();
        var worker = _world.Worker();
        Assert.Empty(worker.Given);
        _world.Advance(seconds: 1);
        _world.Node.Restart();
        worker = _world.Worker();
        Assert.Empty(worker.Given);
        Resume(goal);
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void What_fails_while_its_goal_is_paused_is_tried_again_when_it_goes_on()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Pause(goal);
        worker.Fail("a", FailureKind.Transient);
        _world.Advance(seconds: 10);
        Assert.Equal(["a"], worker.Given);
        Resume(goal);
        Assert.Equal(["a", "a"], worker.Given);
    }

    [Fact]
    public void A_paused_goal_can_be_cancelled_and_one_that_has_ended_cannot_be_paused()
    {
        var goal = _world.Submit("a");
        Pause(goal);
        Assert.Equal(GoalState.Cancelled, _world.Cancel(goal).Value.State);
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => node.PauseGoalAsync(_world.Caller, goal, null)).Kind);
    }

    [Fact]
    public void Nothing_of_a_paused_agent_is_handed_out_on_any_node()
    {
        var world = World.With(nodes: 2);
        Assert.True(world.Node.Ask(node => node.PauseAgentAsync(world.Caller, "writer", null)).IsOk);
        var workers = world.Nodes.Select(node => node.Worker()).ToList();
        foreach (var node in world.Nodes)
            node.Ask(kernel => kernel.SubmitAsync(world.Caller, World.Request("a") with { Agent = "writer" }));
        world.Submit("other");
        Assert.Equal(["other"], workers.SelectMany(worker => worker.Given));
        Assert.True(world.Nodes[1].Ask(node => node.ResumeAgentAsync(world.Caller, "writer")).IsOk);
        Assert.Equal(["a", "a", "other"], workers.SelectMany(worker => worker.Given).Order());
    }

    [Fact]
    public void An_agent_is_paused_in_its_own_tenant_only_and_across_restarts()
    {
        _world.Node.Ask(node => node.PauseAgentAsync(_world.Caller, "writer", null));
        _world.Submit("mine", spec => spec, agent: "writer");
        _world.Submit("theirs", spec => spec, agent: "writer", tenant: new TenantId(new Guid(8, 8, 8, new byte[8])));
        _world.Node.Restart();
        Assert.Equal(["theirs"], _world.Worker().Given);
    }

    [Fact]
    public void A_node_that_drains_hands_nothing_out_and_finishes_what_runs()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Drain(_world.Node, true);
        Assert.True(worker.Complete("a").IsOk);
        Assert.Equal(TaskState.Ready, _world.State(goal, "b"));
        Drain(_world.Node, false);
        Assert.Equal(["b"], worker.Holds);
    }

    [Fact]
    public void A_node_that_drains_gives_its_shards_to_the_others_and_its_workers_lose_nothing()
    {
        var world = World.With(nodes: 2);
        var worker = world.Nodes[0].Worker();
        var goals = Enumerable.Range(0, 6).Select(_ => world.Node.Ask(node => node.SubmitAsync(world.Caller, World.Request("a"))).Value.Id).ToList();
        Assert.Equal(6, worker.Holds.Count);
        Drain(world.Nodes[0], true);
        world.Advance(seconds: 10);
        Assert.Equal((0, 4), (world.Nodes[0].ShardsOwned, world.Nodes[1].ShardsOwned));
        foreach (var assignment in Enumerable.Range(0, 6).Select(_ => worker["a"]).Distinct().ToList())
            Assert.True(worker.Complete(assignment).IsOk);
        Assert.Equal(5, worker.Holds.Count);
        while (worker.Holds.Count > 0)
            Assert.True(worker.Complete("a").IsOk);
        Assert.All(goals, goal => Assert.Equal(GoalState.Completed, world.Nodes[1].Ask(node => node.GetGoalAsync(world.Tenant, goal)).Value.State));
        Assert.Equal(RefusalKind.Elsewhere, world.Nodes[0].Refused(node => node.SubmitAsync(world.Caller, World.Request("b"))).Kind);

        Drain(world.Nodes[0], false);
        world.Advance(seconds: 10);
        Assert.Equal((2, 2), (world.Nodes[0].ShardsOwned, world.Nodes[1].ShardsOwned));
    }

    [Fact]
    public void When_every_node_drains_the_shards_stay_somewhere()
    {
        var world = World.With(nodes: 2);
        foreach (var node in world.Nodes)
            Drain(node, true);
        world.Advance(seconds: 20);
        Assert.Equal(4, world.Nodes.Sum(node => node.ShardsOwned));
    }

    private static void Drain(TestNode node, bool isDraining) => node.Do(async kernel =>
    {
        await kernel.DrainAsync(isDraining);
        return true;
    });

    private GoalRow Pause(GoalId goal) => _world.Node.Ask(node => node.PauseGoalAsync(_world.Caller, goal, "to think")).Value;

    private void Resume(GoalId goal) => Assert.Null(_world.Node.Ask(node => node.ResumeGoalAsync(_world.Caller, goal)).Value.Extras.Pause);
}
