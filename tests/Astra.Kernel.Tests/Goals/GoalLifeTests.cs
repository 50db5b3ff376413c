using System.Text;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class GoalLifeTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_goal_whose_tasks_complete_is_completed()
    {
        _world.Worker().CompleteAll();
        var goal = _world.Submit("a", "b after a", "c after a", "d after b c");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        _world.AssertStates(goal, "a Completed, b Completed, c Completed, d Completed");
    }

    [Fact]
    public void A_task_runs_when_all_it_waits_for_has_completed()
    {
        var worker = _world.Worker();
        _world.Submit("a", "b", "c after a b");
        Assert.Equal(["a", "b"], worker.Given);
        worker.Complete("a");
        Assert.Equal(["a", "b"], worker.Given);
        worker.Complete("b");
        Assert.Equal(["a", "b", "c"], worker.Given);
    }

    [Fact]
    public void A_task_is_handed_the_outputs_of_what_it_waited_for()
    {
        var worker = _world.Worker();
        _world.Submit("a", "b after a");
        worker.Complete("a");
        var dependency = Assert.Single(worker["b"].Dependencies);
        Assert.Equal(("a", TaskState.Completed, "a done"), (dependency.Name, dependency.State, Encoding.UTF8.GetString(dependency.Output.Span)));
    }

    [Fact]
    public void The_output_of_the_last_task_is_the_result_of_the_goal()
    {
        _world.Worker().CompleteAll();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal("b done", Encoding.UTF8.GetString(_world.Goal(goal).Result.Span));
    }

    [Fact]
    public void A_goal_without_a_step_is_refused()
    {
        var refusal = _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request()));
        Assert.Equal(RefusalKind.Invalid, refusal.Kind);
        Assert.Contains("at least one step", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_death_dooms_what_waits_for_it_and_fails_the_goal()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a", "c after b", "d");
        worker.Fail("a", reason: "no disk");
        _world.AssertStates(goal, "a Dead, b Cancelled, c Cancelled, d Running");
        worker.Complete("d");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
        Assert.Equal("It waits for a, which will not complete.", _world.Task(goal, "b").Reason);
    }

    [Fact]
    public void A_death_that_a_later_task_puts_up_with_does_not_fail_the_goal()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "report ended a");
        worker.Fail("a", reason: "no disk");
        Assert.Equal("no disk", Assert.Single(worker["report"].Dependencies).FailureReason);
        worker.Complete("report");
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void Under_the_waiting_policy_a_death_leaves_the_goal_to_a_person()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b after a");
        worker.Fail("a");
        _world.AssertStates(goal, "a Dead, b Pending");
        Assert.Equal(GoalState.Active, _world.Goal(goal).State);
    }

    [Fact]
    public void A_redrive_gives_a_dead_task_fresh_attempts()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b after a");
        worker.Fail("a");
        Assert.True(_world.Redrive(goal, "a").IsOk);
        Assert.Equal((2, 0), (_world.Task(goal, "a").Attempt, _world.Task(goal, "a").FailureCount));
        worker.CompleteAll();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_redrive_reopens_a_failed_goal_and_brings_back_what_the_death_had_doomed()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a", "c after b");
        worker.Fail("a");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
        Assert.True(_world.Redrive(goal, "a").IsOk);
        _world.AssertStates(goal, "a Running, b Pending, c Pending");
        worker.CompleteAll();
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
        Assert.Equal(1, _world.CountOf(goal, EventKind.GoalReopened));
    }

    [Fact]
    public void A_redrive_leaves_doomed_what_still_waits_for_another_dead_task()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b", "c after a b");
        worker.Fail("a");
        worker.Fail("b");
        _world.Redrive(goal, "a");
        Assert.Equal(TaskState.Cancelled, _world.State(goal, "c"));
        _world.Redrive(goal, "b");
        Assert.Equal(TaskState.Pending, _world.State(goal, "c"));
    }

    [Fact]
    public void A_lost_attempt_waits_again_when_what_it_waited_for_is_redriven_meanwhile()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b ended a", "c after a");
        worker.Fail("a");
        Assert.Equal(TaskState.Running, _world.State(goal, "b"));
        _world.Redrive(goal, "a");
        worker.Fail("b", FailureKind.Transient);
        Assert.Equal(TaskState.Pending, _world.State(goal, "b"));
        worker.CompleteAll();
        _world.Advance(seconds: 2);
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void Only_a_dead_letter_is_redriven()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        Assert.Equal("Task a is running; only a dead letter can be replayed.", _world.Redrive(goal, "a").Refusal!.Reason);
        worker.Complete("a");
        Assert.Equal("Task a is completed; only a dead letter can be replayed.", _world.Redrive(goal, "a").Refusal!.Reason);
    }

    [Fact]
    public void Redriving_twice_is_redriving_once()
    {
        var worker = _world.Worker(slots: 1);
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a");
        worker.Fail("a");
        _world.Submit("busy");
        _world.Redrive(goal, "a");
        Assert.True(_world.Redrive(goal, "a").IsOk);
        Assert.Equal(1, _world.CountOf(goal, EventKind.TaskRedriven));
    }

    [Fact]
    public void A_discarded_dead_letter_dooms_what_waited_for_it()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b after a");
        worker.Fail("a");
        Assert.True(_world.Discard(goal, "a").IsOk);
        _world.AssertStates(goal, "a Cancelled, b Cancelled");
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_cancelled_goal_takes_its_tasks_from_the_workers()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal(GoalState.Cancelled, _world.Cancel(goal).Value.State);
        Assert.Equal(["a"], worker.Revoked);
        _world.AssertStates(goal, "a Cancelled, b Cancelled");
    }

    [Fact]
    public void Cancelling_twice_is_cancelling_once_and_a_finished_goal_is_not_cancelled()
    {
        var worker = _world.Worker();
        var cancelled = _world.Submit("a");
        _world.Cancel(cancelled);
        Assert.True(_world.Cancel(cancelled).IsOk);
        Assert.Equal(1, _world.CountOf(cancelled, EventKind.GoalCancelled));

        var done = _world.Submit("b");
        worker.Complete("b");
        Assert.Equal("The goal has ended already (completed).", _world.Cancel(done).Refusal!.Reason);
    }

    [Fact]
    public void Another_tenant_finds_nothing()
    {
        var goal = _world.Submit("a");
        var task = _world.Task(goal, "a").Id;
        var stranger = new TenantId(new Guid(8, 8, 8, new byte[8]));
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetGoalAsync(stranger, goal)).Kind);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.CancelGoalAsync(new Caller(stranger, "eve"), goal, "mine")).Kind);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.GetTaskAsync(stranger, task)).Kind);
        Assert.Equal(RefusalKind.NotFound, _world.Node.Refused(node => node.WhyAsync(stranger, goal.Value)).Kind);
    }

    [Fact]
    public void What_is_not_text_is_refused_at_the_door_and_mended_in_a_reason()
    {
        var refusal = _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request("a") with { Title = "a\0b" }));
        Assert.Equal(RefusalKind.Invalid, refusal.Kind);
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request("half\ud83d"))).Kind);

        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Fail("a", reason: "\0 and \ud83d");
        Assert.Equal("\ufffd and \ufffd", _world.Task(goal, "a").Failure!.Reason);
    }

    [Fact]
    public void A_chain_of_ten_thousand_tasks_is_doomed_in_one_go()
    {
        var worker = _world.Worker();
        var goal = _world.Submit([.. Enumerable.Range(0, 10_000).Select(i => i == 0 ? "t0" : $"t{i} after t{i - 1}")]);
        worker.Fail("t0");
        Assert.Equal(9_999, _world.Goal(goal).Counts.Cancelled);
    }
}
