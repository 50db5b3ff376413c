using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Edits of a graph that is being worked on: other work in the same place, more to wait for, whole parts given up.</summary>
public sealed class ReshapeTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_replaced_step_keeps_its_place_and_does_something_else()
    {
        var goal = _world.Submit("a", "b after a", "c after b");
        Assert.True(_world.Edit(goal, Replace("b", "agent:other", "new")).IsOk);
        var worker = _world.Worker();
        var other = _world.Worker(8, null, false, "agent:other");
        worker.Complete("a");
        Assert.Equal("new", other["b"].Spec.Kind);
        other.Complete("b");
        Assert.Equal(["c"], worker.Holds);
    }

    [Fact]
    public void A_ready_step_that_is_replaced_goes_to_the_worker_it_needs_now()
    {
        var goal = _world.Submit("a");
        Assert.True(_world.Edit(goal, Replace("a", "agent:other", "new")).IsOk);
        Assert.Empty(_world.Worker().Given);
        Assert.Equal(["a"], _world.Worker(8, null, false, "agent:other").Given);
    }

    [Fact]
    public void A_replaced_step_is_what_it_became_after_a_restart_and_in_the_rows()
    {
        var goal = _world.Submit("a", "b after a");
        _world.Advance(seconds: 5);
        Assert.True(_world.Edit(goal, Replace("b", "agent:other", "new")).IsOk);
        _world.Node.Restart();
        Assert.Equal("agent:other", _world.Task(goal, "b").Spec.Executor);
        _world.Advance(seconds: 5);
        _world.Node.Restart();
        Assert.Equal(("agent:other", "new"), (_world.Task(goal, "b").Spec.Executor, _world.Task(goal, "b").Spec.Kind));
        Assert.Single(_world.Task(goal, "b").After);
    }

    [Fact]
    public void What_has_started_is_not_replaced_and_not_extended()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        worker.Complete("b");
        Assert.Equal("Step a has started; what it does cannot be changed any more.", _world.Edit(goal, Replace("a", Steps.Executor, "x")).Refusal!.Reason);
        Assert.Equal("Step a has started; it can be suspended behind others, but not extended.",
            _world.Edit(goal, Steps.Add("c"), new GraphEdit.Extend("a", Steps.After("after c"))).Refusal!.Reason);
    }

    [Fact]
    public void An_extended_step_waits_for_what_it_did_and_for_more()
    {
        var goal = _world.Submit("a", "b", "join after a");
        Assert.True(_world.Edit(goal, new GraphEdit.Extend("join", Steps.After("ended a b"))).IsOk);
        Assert.Equal([DependencyKind.Completed, DependencyKind.Ended], _world.Task(goal, "join").After.Select(after => after.Kind));
        _world.Node.Restart();
        var worker = _world.Worker();
        worker.Complete("a");
        Assert.Equal(TaskState.Pending, _world.State(goal, "join"));
        worker.Complete("b");
        Assert.Equal(TaskState.Running, _world.State(goal, "join"));
    }

    [Fact]
    public void A_step_is_extended_by_its_kind_without_knowing_its_name_and_none_is_no_error()
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, new GoalRequest
        {
            Title = "A goal", Plan = [Steps.Add("a"), Steps.Add("end after a", spec => spec with { Kind = "last" })],
        })).Value.Id;
        Assert.True(worker.Complete("a", Steps.Add("more"), new GraphEdit.ExtendKind("last", Steps.After("after more")), new GraphEdit.ExtendKind("none", Steps.After("after more"))).IsOk);
        _world.AssertStates(goal, "a Completed, end Pending, more Running");
        worker.Complete("more");
        Assert.True(worker.Complete("end", Steps.Add("late"), new GraphEdit.ExtendKind("last", Steps.After("after late"))).IsOk);
        _world.AssertStates(goal, "a Completed, end Completed, late Running, more Completed");
    }

    [Fact]
    public void An_extension_that_makes_a_circle_is_refused_and_leaves_nothing_behind()
    {
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(RefusalKind.Invalid, _world.Edit(goal, Steps.Add("c after b"), new GraphEdit.Extend("a", Steps.After("after c"))).Refusal!.Kind);
        _world.AssertStates(goal, "a Ready, b Pending");
        Assert.Empty(_world.Task(goal, "a").After);
    }

    [Fact]
    public void A_running_step_that_is_suspended_is_taken_from_its_worker_and_tried_anew_behind_what_it_waits_for()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        var first = worker["a"];
        Assert.True(_world.Edit(goal, Steps.Add("first"), new GraphEdit.Suspend("a", Steps.After("after first"))).IsOk);
        Assert.Equal(["a"], worker.Revoked);
        _world.AssertStates(goal, "a Pending, first Running");
        Assert.Equal(RefusalKind.Late, worker.Complete(first).Refusal!.Kind);
        worker.Complete("first");
        Assert.Equal((TaskState.Running, 2), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
        Assert.Equal(0, _world.Task(goal, "a").FailureCount);
    }

    [Fact]
    public void A_suspended_step_is_suspended_after_a_restart()
    {
        _world.Worker();
        var goal = _world.Submit("a", "b");
        Assert.True(_world.Edit(goal, Steps.Add("first"), new GraphEdit.Suspend("a", Steps.After("after first b"))).IsOk);
        _world.Node.Restart();
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));
        Assert.Equal(2, _world.Task(goal, "a").After.Count);
    }

    [Fact]
    public void An_attempt_suspends_itself_behind_what_it_adds()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(TaskState.Pending, worker.Suspend("a", "after first", Steps.Add("first")).Value);
        _world.AssertStates(goal, "a Pending, b Pending, first Running");
        worker.Complete("first");
        Assert.Equal(["first"], worker["a"].Dependencies.Select(dependency => dependency.Name));
    }

    [Fact]
    public void A_step_is_not_suspended_behind_what_waits_for_it()
    {
        _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(RefusalKind.Invalid, _world.Edit(goal, new GraphEdit.Suspend("a", Steps.After("after b"))).Refusal!.Kind);
        _world.AssertStates(goal, "a Running, b Pending");
        Assert.Equal(RefusalKind.Invalid, _world.Edit(goal, new GraphEdit.Suspend("a", [])).Refusal!.Kind);
    }

    [Fact]
    public void A_cancelled_subtree_takes_along_what_only_runs_because_of_it_and_nothing_else()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("root", "a after root", "b ended a", "c after b", "other", "both ended b other", "needs after a other");
        worker.Complete("root");
        Assert.True(_world.Edit(goal, new GraphEdit.CancelSubtree("a", "too dear")).IsOk);
        // "both" also runs because of something else, and does not mind how b ended; "needs" does.
        _world.AssertStates(goal, "a Cancelled, b Cancelled, both Pending, c Cancelled, needs Cancelled, other Running, root Completed");
        Assert.Equal("too dear", _world.Task(goal, "c").Reason);
        Assert.Equal(0, _world.Events(goal).Count(entry => entry.Kind == EventKind.TaskUnblocked && entry.Task == _world.Task(goal, "b").Id));
    }

    [Fact]
    public void What_came_of_a_finished_step_is_cancelled_as_its_subtree()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("root", "a after root", "b after a", "other");
        worker.Complete("root");
        Assert.True(_world.Edit(goal, new GraphEdit.CancelSubtree("root", "enough")).IsOk);
        _world.AssertStates(goal, "a Cancelled, b Cancelled, other Running, root Completed");
        Assert.Contains("has ended, and so has everything", _world.Edit(goal, new GraphEdit.CancelSubtree("root", "again")).Refusal!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_is_cancelled_whole_with_the_groups_within_it()
    {
        _world.Worker();
        var goal = _world.Submit("a");
        Assert.True(_world.Edit(goal, InGroup("g/x", "g"), InGroup("g/y ended g/x", "g"), InGroup("g/in/z", "g/in"), InGroup("gg/x", "gg")).IsOk);
        Assert.True(_world.Edit(goal, new GraphEdit.CancelGroup("g", "not needed")).IsOk);
        _world.AssertStates(goal, "a Running, g/in/z Cancelled, g/x Cancelled, g/y Cancelled, gg/x Running");
        Assert.Equal("There is nothing in the group g that has not ended.", _world.Edit(goal, new GraphEdit.CancelGroup("g", "again")).Refusal!.Reason);
    }

    /// <summary>Found by seeds 377 and 475.</summary>
    [Fact]
    public void What_a_cancellation_takes_along_is_changed_by_the_same_list_before_it_ends()
    {
        var goal = _world.Submit("a", "b after a");
        Assert.True(_world.Edit(goal, new GraphEdit.Cancel("a", "no"), new GraphEdit.Prioritise("b", 5)).IsOk);
        Assert.Equal([EventKind.TaskPrioritised, EventKind.TaskCancelled, EventKind.TaskDoomed, EventKind.GoalFailed], _world.Events(goal).TakeLast(4).Select(entry => entry.Kind));

        goal = _world.Submit("a", "b after a");
        Assert.True(_world.Edit(goal, new GraphEdit.CancelSubtree("a", "no"), Replace("b", "agent:other", "new")).IsOk);
        Assert.Equal("agent:other", _world.Task(goal, "b").Spec.Executor);
        _world.AssertStates(goal, "a Cancelled, b Cancelled");
    }

    [Fact]
    public void A_step_that_is_removed_by_the_list_that_cancels_its_group_is_gone()
    {
        var goal = _world.Submit("a");
        Assert.True(_world.Edit(goal, InGroup("g/x", "g"), InGroup("g/y", "g")).IsOk);
        Assert.True(_world.Edit(goal, new GraphEdit.CancelGroup("g", "no"), new GraphEdit.Remove("g/x")).IsOk);
        _world.AssertStates(goal, "a Ready, g/y Cancelled");
    }

    [Fact]
    public void A_dry_run_says_what_an_edit_would_do_and_does_not_do_it()
    {
        var goal = _world.Submit("a", "b after a");
        var before = _world.Events(goal).Count;
        Assert.Equal("Step c waits for b; rewire or remove it first.", Validate(goal, null, Steps.Add("c after b"), new GraphEdit.Remove("b")).Refusal!.Reason);
        Assert.Equal(2, Validate(goal, 1, Steps.Add("c after b"), Steps.Rewire("b")).Value.Revision);
        Assert.Contains("at revision 1, not 9", Validate(goal, 9, Steps.Add("c")).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Contains("cycle", Validate(goal, null, Steps.Rewire("a after b")).Refusal!.Reason, StringComparison.Ordinal);
        _world.AssertStates(goal, "a Ready, b Pending");
        Assert.Equal(before, _world.Events(goal).Count);
        Assert.Single(_world.Task(goal, "b").After);
    }

    [Fact]
    public void A_dry_run_that_extends_a_step_twice_leaves_it_as_it_was()
    {
        var goal = _world.Submit("a", "b", "c", "join");
        Assert.True(Validate(goal, null, new GraphEdit.Extend("join", Steps.After("after a b")), new GraphEdit.Extend("join", Steps.After("after b c"))).IsOk);
        Assert.Empty(_world.Task(goal, "join").After);
        _world.AssertStates(goal, "a Ready, b Ready, c Ready, join Ready");
    }

    private Answer<PlanRevision> Validate(GoalId goal, long? ifRevision, params GraphEdit[] edits) =>
        _world.Node.Ask(node => node.ValidatePlanAsync(_world.Caller, goal, ifRevision, edits));

    private static GraphEdit Replace(string name, string executor, string kind) => new GraphEdit.Replace(new TaskSpec { Name = name, Executor = executor, Kind = kind });

    private static GraphEdit InGroup(string step, string group) => Steps.Add(step, spec => spec with { Extras = spec.Extras with { Group = group } });
}
