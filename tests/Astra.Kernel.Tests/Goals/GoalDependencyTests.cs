using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Goals that come after other goals, and children that end with their parents.</summary>
public sealed class GoalDependencyTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_goal_is_taken_at_once_and_begins_when_the_goal_it_comes_after_has_completed()
    {
        var first = _world.Submit("a");
        var second = SubmitAfter(first);
        var worker = _world.Worker();
        _world.Advance(seconds: 20);
        Assert.Equal(["a"], worker.Given);
        Assert.Equal((GoalState.Active, TaskState.Pending), (_world.Goal(second).State, _world.State(second, "b")));

        worker.Complete("a");
        _world.RunUntilQuiet();
        Assert.Equal(["a", "b"], worker.Given);
        Assert.Equal(1, _world.CountOf(second, EventKind.PredecessorEnded));
        worker.Complete("b");
        Assert.Equal(GoalState.Completed, _world.Goal(second).State);
    }

    [Fact]
    public void A_goal_that_comes_after_one_that_has_long_ended_begins_at_once()
    {
        var worker = _world.Worker().CompleteAll();
        var first = _world.Submit("a");
        // Long enough for it to be forgotten in memory: from here on only the rows know it.
        _world.Advance(seconds: 90);
        var second = SubmitAfter(first);
        _world.RunUntilQuiet();
        _world.Advance(seconds: 1);
        Assert.Equal(["a", "b"], worker.Given);
        Assert.Equal(GoalState.Completed, _world.Goal(second).State);
    }

    [Fact]
    public void It_waits_for_all_of_them()
    {
        var (one, two) = (_world.Submit("one"), _world.Submit("two"));
        var last = SubmitAfter([new GoalDependency(one, GoalCondition.Completed), new GoalDependency(two, GoalCondition.Ended)]);
        var worker = _world.Worker();
        worker.Complete("one");
        _world.Advance(seconds: 10);
        Assert.DoesNotContain("b", worker.Given);
        worker.Fail("two");
        _world.RunUntilQuiet();
        Assert.Contains("b", worker.Given);
        Assert.Equal(2, _world.CountOf(last, EventKind.PredecessorEnded));
    }

    [Fact]
    public void A_goal_whose_predecessor_fails_is_cancelled_with_the_reason_and_so_on_down_the_chain()
    {
        var first = _world.Submit("a");
        var second = SubmitAfter(first);
        var third = SubmitAfter(second);
        _world.Worker().Fail("a", reason: "out of paper");
        _world.RunUntilQuiet();
        Assert.Equal(GoalState.Cancelled, _world.Goal(second).State);
        Assert.Contains($"goal {first}, which has failed", _world.Goal(second).Reason, StringComparison.Ordinal);
        Assert.Contains("out of paper", _world.Goal(third).Reason, StringComparison.Ordinal);
        Assert.Equal((1, 0), (_world.CountOf(third, EventKind.GoalCancelled), _world.CountOf(third, EventKind.TaskClaimed)));
    }

    [Fact]
    public void A_goal_that_asked_for_it_goes_on_when_its_predecessor_was_cancelled()
    {
        var first = _world.Submit("a");
        var second = SubmitAfter([new GoalDependency(first, GoalCondition.Completed)], CascadePolicy.GoOn);
        _world.Worker();
        _world.Cancel(first);
        _world.RunUntilQuiet();
        Assert.Equal(TaskState.Running, _world.State(second, "b"));
    }

    [Fact]
    public void What_is_added_to_a_goal_that_waits_waits_too()
    {
        var first = _world.Submit("a");
        var second = SubmitAfter(first);
        Assert.True(_world.Edit(second, Steps.Add("more"), Steps.Add("last after more")).IsOk);
        _world.AssertStates(second, "b Pending, last Pending, more Pending");
        _world.Worker().Complete("a");
        _world.RunUntilQuiet();
        _world.AssertStates(second, "b Running, last Pending, more Running");
    }

    [Fact]
    public void Why_names_the_goal_that_is_waited_for()
    {
        var first = _world.Submit("a");
        var second = SubmitAfter(first);
        Assert.StartsWith($"It comes after goal {first}, which has not completed yet", _world.Why(second), StringComparison.Ordinal);
        Assert.Contains($"It comes after goal {first}", _world.Why(second, "b"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_restart_between_the_two_strands_nobody(bool isHeldAfterTheEnd)
    {
        var first = _world.Submit("a");
        var second = SubmitAfter(first);
        var worker = _world.Worker();
        if (isHeldAfterTheEnd)
        {
            // The end is durable, and the process dies before anybody hears of it.
            _world.Node.Journal.LosesNextReply = true;
            _world.Node.Begin(_ => worker.Link.CompleteAsync(TestWorker.Attempt(worker["a"]), TestWorker.Output(worker["a"]), []));
        }
        _world.Node.Restart();
        worker = _world.Worker();
        _world.Advance(seconds: 60);
        if (!isHeldAfterTheEnd)
            worker.Complete("a");
        _world.Advance(seconds: 10);
        Assert.Equal(TaskState.Running, _world.State(second, "b"));
        Assert.Equal(1, _world.CountOf(second, EventKind.PredecessorEnded));
    }

    [Fact]
    public void A_word_that_is_lost_between_nodes_is_found_out_with_the_next_look()
    {
        var world = World.With(nodes: 2);
        var here = world.Submit("a");
        var there = world.Nodes[1].Ask(kernel => kernel.SubmitAsync(world.Caller, After([new GoalDependency(here, GoalCondition.Completed)]))).Value.Id;
        var worker = world.Worker();
        world.Advance(seconds: 1);
        world.Bus.IsDown = true;
        worker.Complete("a");
        world.RunUntilQuiet();
        Assert.Equal(TaskState.Pending, StateThere());
        world.Bus.IsDown = false;
        world.Advance(seconds: 12);
        Assert.NotEqual(TaskState.Pending, StateThere());

        TaskState StateThere() => world.Nodes[1].Ask(kernel => kernel.GetPlanAsync(world.Tenant, there)).Value.Tasks[0].State;
    }

    [Fact]
    public void A_child_is_cancelled_with_its_parent_and_with_its_own_children()
    {
        var parent = _world.Submit("a");
        var child = Submit(World.Request("b") with { Extras = new GoalExtras { Parent = parent } });
        var grandchild = Submit(World.Request("c") with { Extras = new GoalExtras { Parent = child } });
        var alone = Submit(World.Request("d") with { Extras = new GoalExtras { Parent = parent, OnCancelledParent = CascadePolicy.GoOn } });
        var worker = _world.Worker();
        _world.Cancel(parent);
        _world.RunUntilQuiet();
        Assert.Equal([GoalState.Cancelled, GoalState.Cancelled, GoalState.Active], new[] { child, grandchild, alone }.Select(goal => _world.Goal(goal).State));
        Assert.Contains($"Its parent, goal {parent}, was cancelled: changed my mind", _world.Goal(child).Reason, StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c"], worker.Revoked.Order());
    }

    [Fact]
    public void A_child_of_a_parent_that_fails_and_is_taken_up_again_is_still_cancelled_with_it()
    {
        var parent = _world.Submit("a");
        var child = Submit(World.Request("b") with { Extras = new GoalExtras { Parent = parent } });
        var worker = _world.Worker();
        worker.Fail("a");
        _world.Advance(seconds: 90);
        Assert.Equal(GoalState.Active, _world.Goal(child).State);
        Assert.True(_world.Redrive(parent, "a").IsOk);
        _world.Cancel(parent);
        _world.Advance(seconds: 10);
        Assert.Equal(GoalState.Cancelled, _world.Goal(child).State);
    }

    [Fact]
    public void A_goal_of_another_tenant_does_not_exist_and_neither_does_one_that_was_never_submitted()
    {
        var stranger = new Caller(new TenantId(new Guid(8, 8, 8, new byte[8])), "eve");
        var theirs = _world.Node.Ask(node => node.SubmitAsync(stranger, World.Request("a"))).Value.Id;
        foreach (var extras in new[] { Named(theirs).Extras, new GoalExtras { Parent = theirs } })
        {
            var refusal = _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request("b") with { Extras = extras }));
            Assert.Equal((RefusalKind.NotFound, $"There is no goal {theirs} here; a goal names only goals that exist already."), (refusal.Kind, refusal.Reason));
        }
    }

    [Fact]
    public void A_repeated_submission_is_the_same_goal_even_when_its_parent_has_ended_meanwhile()
    {
        var parent = _world.Submit("a");
        var request = World.Request("b") with { IdempotencyKey = _world.Key("child"), Extras = new GoalExtras { Parent = parent, OnCancelledParent = CascadePolicy.GoOn } };
        var child = Submit(request);
        _world.Cancel(parent);
        Assert.Equal(child, Submit(request));
        var refusal = _world.Node.Refused(node => node.SubmitAsync(_world.Caller, request with { IdempotencyKey = _world.Key("other") }));
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
    }

    [Fact]
    public void Ancestors_are_counted_and_there_is_an_end_of_them()
    {
        var last = _world.Submit("a");
        for (var depth = 1; depth <= _world.Limits.GoalDepthMax; depth++)
        {
            last = Submit(World.Request("a") with { Extras = new GoalExtras { Parent = last, Depth = 0 } });
            Assert.Equal(depth, _world.Goal(last).Extras.Depth);
        }
        var refusal = _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request("a") with { Extras = new GoalExtras { Parent = last } }));
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("has 8 ancestors", refusal.Reason, StringComparison.Ordinal);
    }

    private GoalId SubmitAfter(GoalId goal) => SubmitAfter([new GoalDependency(goal, GoalCondition.Completed)]);

    private GoalId SubmitAfter(IReadOnlyList<GoalDependency> after, CascadePolicy? policy = null) =>
        Submit(After(after) with { Extras = new GoalExtras { After = after, OnFailedGoal = policy } });

    private GoalId Submit(GoalRequest request) => _world.Node.Ask(node => node.SubmitAsync(_world.Caller, request)).Value.Id;

    private static GoalRequest Named(GoalId goal) => After([new GoalDependency(goal, GoalCondition.Completed)]);

    private static GoalRequest After(IReadOnlyList<GoalDependency> after) => World.Request("b") with { Extras = new GoalExtras { After = after } };
}
