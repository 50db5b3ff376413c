using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class EditTests
{
    private readonly World _world = World.With();

    [Fact]
    public void One_bad_edit_in_a_list_changes_nothing()
    {
        var goal = _world.Submit("a", "b after a");
        var before = _world.Events(goal).Count;
        var answer = _world.Edit(goal, Steps.Add("c"), new GraphEdit.Remove("b"), new GraphEdit.Prioritise("a", 7), new GraphEdit.Cancel("nobody", "typo"));
        Assert.Equal("There is no step named nobody in this goal.", answer.Refusal!.Reason);
        _world.AssertStates(goal, "a Ready, b Pending");
        Assert.Equal(0, _world.Task(goal, "a").Spec.Priority);
        Assert.Equal(before, _world.Events(goal).Count);
    }

    [Fact]
    public void An_edit_of_another_revision_than_the_one_named_is_refused()
    {
        var goal = _world.Submit("a");
        Assert.True(_world.Node.Ask(node => node.EditPlanAsync(_world.Caller, goal, 1, [Steps.Add("b")], null)).IsOk);
        var refusal = _world.Node.Refused(node => node.EditPlanAsync(_world.Caller, goal, 1, [Steps.Add("c")], null));
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("at revision 2, not 1", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_edit_raises_the_revision_by_one_and_names_its_author()
    {
        var goal = _world.Submit("a");
        Assert.Equal(2, _world.Edit(goal, Steps.Add("b"), Steps.Add("c")).Value.Goal.Revision);
        var edited = Assert.IsType<KernelEvent.PlanEdited>(_world.Events(goal).Last(entry => entry.Kind == EventKind.PlanEdited).Event);
        Assert.Equal((2, "ada", "a test"), (edited.Revision, edited.By, edited.Reason));
    }

    [Fact]
    public void What_has_started_is_neither_rewired_nor_removed()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        worker.Complete("a");
        Assert.Equal(RefusalKind.Conflict, _world.Edit(goal, Steps.Rewire("a after b")).Refusal!.Kind);
        Assert.Equal(RefusalKind.Conflict, _world.Edit(goal, Steps.Rewire("b after a")).Refusal!.Kind);
        Assert.Equal(RefusalKind.Conflict, _world.Edit(goal, new GraphEdit.Remove("a")).Refusal!.Kind);
    }

    [Fact]
    public void A_goal_that_has_ended_is_not_edited()
    {
        _world.Worker().CompleteAll();
        var goal = _world.Submit("a");
        Assert.Equal("The goal has ended (completed); finished history is not edited.", _world.Edit(goal, Steps.Add("b")).Refusal!.Reason);
    }

    [Fact]
    public void A_ready_task_that_is_given_something_to_wait_for_waits()
    {
        var goal = _world.Submit("a", "b");
        Assert.True(_world.Edit(goal, Steps.Rewire("a after b")).IsOk);
        var worker = _world.Worker();
        Assert.Equal(["b"], worker.Given);
        worker.CompleteAll();
        Assert.Equal(["b", "a"], worker.Given);
    }

    [Fact]
    public void A_task_that_is_given_nothing_to_wait_for_runs()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.True(_world.Edit(goal, Steps.Rewire("b")).IsOk);
        Assert.Equal(["a", "b"], worker.Given);
    }

    [Fact]
    public void A_removed_task_is_gone_and_is_not_handed_out()
    {
        var goal = _world.Submit("a", "b", "c after b");
        Assert.Equal("Step c waits for b; rewire or remove it first.", _world.Edit(goal, new GraphEdit.Remove("b")).Refusal!.Reason);
        Assert.True(_world.Edit(goal, new GraphEdit.Remove("c"), new GraphEdit.Remove("b")).IsOk);
        var worker = _world.Worker().CompleteAll();
        Assert.Equal(["a"], worker.Given);
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_step_is_removed_by_the_edit_that_rewires_what_waited_for_it()
    {
        var goal = _world.Submit("a", "b after a", "c after b");
        Assert.True(_world.Edit(goal, new GraphEdit.Remove("b"), Steps.Rewire("c after a")).IsOk);
        _world.AssertStates(goal, "a Ready, c Pending");
        _world.Node.Restart();
        _world.AssertStates(goal, "a Ready, c Pending");
    }

    [Fact]
    public void A_step_may_wait_for_one_that_stands_further_down_in_the_list()
    {
        _world.Worker().CompleteAll();
        var goal = _world.Submit("c after b", "b after a", "a");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_task_with_more_priority_is_handed_out_first()
    {
        var goal = _world.Submit("a", "b", "c");
        _world.Edit(goal, new GraphEdit.Prioritise("c", 50));
        Assert.Equal(["c", "a", "b"], _world.Worker(slots: 1).CompleteAll().Given);
    }

    [Fact]
    public void A_cancelled_step_is_taken_from_its_worker_and_dooms_what_waits_for_it()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a", "c");
        Assert.True(_world.Edit(goal, new GraphEdit.Cancel("a", "too dear")).IsOk);
        Assert.Equal(["a"], worker.Revoked);
        _world.AssertStates(goal, "a Cancelled, b Cancelled, c Running");
    }

    [Fact]
    public void A_step_that_could_never_run_is_not_added()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        worker.Fail("a");
        Assert.Equal("Step c would wait for a, which will not complete.", _world.Edit(goal, Steps.Add("c after a")).Refusal!.Reason);
        Assert.True(_world.Edit(goal, Steps.Add("c ended a")).IsOk);
    }

    [Fact]
    public void A_name_is_used_once_in_a_goal_and_a_step_is_edited_once_in_a_request()
    {
        var goal = _world.Submit("a", "b");
        Assert.Contains("names are unique", _world.Edit(goal, Steps.Add("a")).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Contains("say it once", _world.Edit(goal, new GraphEdit.Prioritise("a", 1), new GraphEdit.Cancel("a", "?")).Refusal!.Reason, StringComparison.Ordinal);
        Assert.Contains("twice among", _world.Edit(goal, Steps.Add("c after a a")).Refusal!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_worker_adds_tasks_with_its_result_in_one_commit()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "join after a");
        Assert.True(worker.Complete("a", Steps.Add("part-1 after a"), Steps.Add("part-2 after a"), Steps.Rewire("join after part-1 part-2")).IsOk);
        _world.AssertStates(goal, "a Completed, join Pending, part-1 Running, part-2 Running");
        worker.CompleteAll();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_bad_edit_refuses_the_report_and_the_lease_goes_on()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(RefusalKind.Invalid, worker.Complete("a", Steps.Rewire("b after b")).Refusal!.Kind);
        Assert.Equal(TaskState.Running, _world.State(goal, "a"));
        Assert.True(worker.Complete("a").IsOk);
    }

    [Fact]
    public void A_report_that_cancels_its_own_step_is_refused_whole()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(RefusalKind.Invalid, worker.Complete("a", Steps.Add("c"), new GraphEdit.Cancel("a", "why not")).Refusal!.Kind);
        _world.AssertStates(goal, "a Running, b Pending");
    }
}
