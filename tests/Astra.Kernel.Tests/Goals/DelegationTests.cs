using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Goals that agents submit for agents.</summary>
public sealed class DelegationTests
{
    private readonly World _world = World.With(limits: new KernelLimits { AgentGoalsPerSecond = 2, AgentGoalsBurst = 5, DelegationsPerTaskMax = 7 });
    private readonly GoalId _parent;
    private readonly TestWorker _worker;

    public DelegationTests()
    {
        _parent = _world.Submit("a");
        _worker = _world.Worker(slots: 20);
    }

    [Fact]
    public void A_goal_that_a_task_submits_is_a_child_of_its_goal_and_of_whoever_asked_for_that()
    {
        var child = _worker.Submit("a", "#1", World.Request("b") with { Agent = "writer" }).Value;
        var row = _world.Goal(child);
        Assert.Equal((_parent, 1, "writer", "ada"), (row.Extras.Parent!.Value, row.Extras.Depth, row.Agent, row.SubmittedBy));
        Assert.Equal(_parent.Shard, child.Shard);
        _world.Cancel(_parent);
        _world.RunUntilQuiet();
        Assert.Equal(GoalState.Cancelled, _world.Goal(child).State);
    }

    [Fact]
    public void A_later_attempt_that_asks_for_the_same_gets_the_same_goal_also_after_a_restart_and_when_it_has_long_ended()
    {
        var child = _worker.Submit("a", "#1", World.Request("b")).Value;
        Assert.Equal(child, _worker.Submit("a", "#1", World.Request("b")).Value);
        _worker.Complete("b");
        _worker.Fail("a", FailureKind.Transient);
        _world.Advance(seconds: 120);
        Assert.Equal(child, _worker.Submit("a", "#1", World.Request("b")).Value);

        _world.Node.Restart();
        var worker = _world.Worker();
        _world.Advance(seconds: 60);
        Assert.Equal(child, worker.Submit("a", "#1", World.Request("b")).Value);
        Assert.Equal((1, 1), (_world.CountOf(_parent, EventKind.GoalDelegated), _world.CountOf(child, EventKind.GoalSubmitted)));
        var other = worker.Submit("a", "#1", World.Request("c")).Refusal!;
        Assert.Equal(RefusalKind.Invalid, other.Kind);
        Assert.NotEqual(child, worker.Submit("a", "#2", World.Request("c")).Value);
    }

    [Fact]
    public void Only_who_holds_the_attempt_may_submit()
    {
        var assignment = _worker["a"];
        var other = _world.Worker();
        Assert.Equal(RefusalKind.Late, other.Submit(assignment, "#1", World.Request("b")).Refusal!.Kind);
        _worker.Complete("a");
        Assert.Equal(RefusalKind.Late, _worker.Submit(assignment, "#1", World.Request("b")).Refusal!.Kind);
    }

    [Fact]
    public void An_agent_that_submits_too_much_is_told_when_to_go_on_and_what_it_asked_for_before_costs_nothing()
    {
        for (var number = 1; number <= 5; number++)
            Assert.True(_worker.Submit("a", $"#{number}", World.Request("b")).IsOk);
        var refusal = _worker.Submit("a", "#6", World.Request("b")).Refusal!;
        Assert.Equal((RefusalKind.Overloaded, TimeSpan.FromSeconds(0.5)), (refusal.Kind, refusal.RetryAfter));
        Assert.True(_worker.Submit("a", "#5", World.Request("b")).IsOk);
        _world.Advance(seconds: 0.5);
        Assert.True(_worker.Submit("a", "#6", World.Request("b")).IsOk);
        Assert.Equal(RefusalKind.Overloaded, _worker.Submit("a", "#7", World.Request("b")).Refusal!.Kind);

        // The bucket is the agent's own.
        var quiet = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request("q") with { Agent = "quiet" })).Value;
        Assert.True(_worker.Submit("q", "#1", World.Request("b")).IsOk);
        Assert.Equal(GoalState.Active, _world.Goal(quiet.Id).State);
    }

    [Fact]
    public void One_task_submits_so_many_goals_and_no_more()
    {
        for (var number = 1; number <= 7; number++)
        {
            Assert.True(_worker.Submit("a", $"#{number}", World.Request("b")).IsOk);
            _world.Advance(seconds: 1);
        }
        Assert.Equal(RefusalKind.Invalid, _worker.Submit("a", "#8", World.Request("b")).Refusal!.Kind);
    }

    [Fact]
    public void Agents_that_hand_goals_on_for_ever_come_to_an_end()
    {
        var name = "a";
        for (var depth = 1; depth <= _world.Limits.GoalDepthMax; depth++)
        {
            Assert.True(_worker.Submit(name, "#1", World.Request($"t{depth}")).IsOk);
            _world.Advance(seconds: 1);
            name = $"t{depth}";
        }
        var refusal = _worker.Submit(name, "#1", World.Request("too deep")).Refusal!;
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("8 ancestors", refusal.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "title")]
    [InlineData("#1", "")]
    public void A_goal_that_is_wrong_is_refused_and_leaves_nothing(string name, string title)
    {
        Assert.Equal(RefusalKind.Invalid, _worker.Submit("a", name, World.Request("b") with { Title = title }).Refusal!.Kind);
        Assert.Equal(RefusalKind.Invalid, _worker.Submit("a", "#1", World.Request("b after nowhere")).Refusal!.Kind);
        Assert.Equal(0, _world.CountOf(_parent, EventKind.GoalDelegated));
        Assert.True(_worker.Submit("a", "#1", World.Request("b")).IsOk);
    }

    [Fact]
    public void A_worker_of_another_node_submits_through_the_owner_of_its_task()
    {
        var other = new TestNode(_world, "node-2");
        other.Start();
        var goals = Enumerable.Range(0, 8).Select(number => _world.Submit($"t{number}")).ToList();
        _world.Advance(seconds: 12);
        var moved = goals.Index().Where(goal => other.Ask(node => node.GetGoalAsync(_world.Tenant, goal.Item)).IsOk && _worker.Holds.Contains($"t{goal.Index}")).ToList();
        if (moved.Count == 0)
            Assert.Fail("No goal has moved while its task ran.");
        var child = _worker.Submit($"t{moved[0].Index}", "#1", World.Request("b") with { Input = new byte[] { 1, 2 }, Extras = new GoalExtras { OnCancelledParent = CascadePolicy.GoOn } }).Value;
        var row = other.Ask(node => node.GetGoalAsync(_world.Tenant, child)).Value;
        Assert.Equal((moved[0].Item, CascadePolicy.GoOn), (row.Extras.Parent!.Value, row.Extras.OnCancelledParent!.Value));
        Assert.Equal([1, 2], row.Input.ToArray());
    }
}
