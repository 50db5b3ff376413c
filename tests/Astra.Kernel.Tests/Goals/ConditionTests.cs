using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Steps that run only when another said the right word, and graphs that leave out what cannot run.</summary>
public sealed class ConditionTests
{
    private readonly World _world = World.With();

    [Fact]
    public void The_way_that_is_asked_for_is_taken_and_the_other_is_skipped()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("review", "publish when review=approved", "rework when review=rejected", "tell after rework");
        Assert.True(worker.CompleteWith("approved", "review").IsOk);
        _world.AssertStates(goal, "publish Running, review Completed, rework Cancelled, tell Cancelled");
        Assert.Equal("Not taken: review ended with the outcome approved.", _world.Task(goal, "rework").Reason);
        Assert.Equal("Not taken: rework, which it waits for, was left out.", _world.Task(goal, "tell").Reason);
    }

    [Fact]
    public void A_goal_whose_only_losses_are_ways_not_taken_is_completed_with_the_result_of_the_way_that_was()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("review", "publish when review=approved", "rework when review=rejected");
        worker.CompleteWith("approved", "review");
        worker.Complete("publish");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        Assert.Equal("publish done", System.Text.Encoding.UTF8.GetString(_world.Goal(goal).Result.Span));
    }

    [Fact]
    public void A_completion_without_an_outcome_takes_no_way_that_asks_for_one()
    {
        var goal = _world.Submit("review", "publish when review=approved");
        _world.Worker().Complete("review");
        Assert.Equal("Not taken: review ended with no outcome.", _world.Task(goal, "publish").Reason);
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void Ways_meet_again_behind_a_step_that_passes_what_was_skipped()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("review", "publish when review=approved", "rework when review=rejected", "report passed publish rework");
        worker.CompleteWith("rejected", "review");
        _world.AssertStates(goal, "publish Cancelled, report Pending, review Completed, rework Running");
        worker.Complete("rework");
        Assert.Equal(TaskState.Running, _world.State(goal, "report"));
    }

    [Fact]
    public void A_failure_does_not_pass()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b passed a");
        worker.Fail("a");
        _world.AssertStates(goal, "a Dead, b Cancelled");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_failure_weighs_more_than_a_way_that_was_not_taken()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b", "c when a=yes after b");
        worker.Fail("b");
        worker.CompleteWith("no", "a");
        Assert.False(_world.Task(goal, "c").Spec.Extras.IsSkipped);
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
    }

    [Fact]
    public void Which_way_was_taken_is_known_after_a_restart_and_from_the_rows()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("review", "publish when review=approved", "rework when review=rejected", "report passed publish rework");
        worker.CompleteWith("approved", "review");
        _world.Node.Restart();
        _world.AssertStates(goal, "publish Running, report Pending, review Completed, rework Cancelled");
        _world.Advance(seconds: 5);
        _world.Node.Restart();
        Assert.Equal("approved", _world.Task(goal, "review").Spec.Extras.Outcome);
        Assert.Equal("approved", _world.Task(goal, "publish").After.Single().Outcome);
        Assert.True(_world.Task(goal, "rework").Spec.Extras.IsSkipped);
    }

    [Fact]
    public void A_step_that_asks_for_an_outcome_that_was_not_said_is_not_added()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        worker.CompleteWith("no", "a");
        Assert.Equal("Step c would wait for the outcome yes of a, which has completed with no.", _world.Edit(goal, Steps.Add("c when a=yes")).Refusal!.Reason);
        Assert.True(_world.Edit(goal, Steps.Add("c when a=no")).IsOk);
    }

    [Fact]
    public void An_outcome_that_is_no_word_refuses_the_report()
    {
        var worker = _world.Worker();
        _world.Submit("a");
        Assert.Equal(RefusalKind.Invalid, worker.CompleteWith("", "a").Refusal!.Kind);
        Assert.True(worker.Complete("a").IsOk);
    }

    [Fact]
    public void A_graph_that_leaves_out_what_a_dead_step_held_up_completes_with_the_rest()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Skip, "a", "b after a", "c");
        worker.Fail("a");
        _world.AssertStates(goal, "a Dead, b Cancelled, c Running");
        Assert.True(_world.Task(goal, "b").Spec.Extras.IsSkipped);
        worker.Complete("c");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_graph_of_which_nothing_completed_has_failed_whatever_its_policy()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Skip, "a", "b after a");
        worker.Fail("a");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
        Assert.Equal("Task a died: no luck", _world.Goal(goal).Reason);
        _world.Redrive(goal, "a");
        worker.Complete("a");
        worker.Complete("b");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        Assert.Equal(1, _world.CountOf(goal, EventKind.TaskSkipped));
    }
}
