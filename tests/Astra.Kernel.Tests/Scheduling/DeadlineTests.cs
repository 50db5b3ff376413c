using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class DeadlineTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_task_is_not_handed_out_before_its_due_time()
    {
        var worker = _world.Worker();
        SubmitWith(new TaskExtras { NotBefore = _world.Now.AddSeconds(60) });
        _world.Advance(seconds: 59);
        Assert.Empty(worker.Given);
        _world.Advance(seconds: 1.1);
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void A_due_time_survives_a_restart()
    {
        SubmitWith(new TaskExtras { NotBefore = _world.Now.AddSeconds(60) });
        _world.Node.Restart();
        var worker = _world.Worker();
        Assert.Empty(worker.Given);
        _world.Advance(seconds: 61);
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void A_clock_that_is_set_forward_makes_a_task_due_within_a_second()
    {
        var worker = _world.Worker();
        SubmitWith(new TaskExtras { NotBefore = _world.Now.AddHours(1) });
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromHours(1));
        _world.Advance(seconds: 1);
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void A_clock_that_is_set_back_does_not_make_a_task_come_early()
    {
        var worker = _world.Worker();
        SubmitWith(new TaskExtras { NotBefore = _world.Now.AddSeconds(60) });
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromMinutes(-10));
        _world.Advance(seconds: 600);
        Assert.Empty(worker.Given);
        _world.Advance(seconds: 61);
        Assert.Equal(["a"], worker.Given);
    }

    /// <summary>Found by a real server whose calendar was a day ahead for a while.</summary>
    [Fact]
    public void A_clock_that_is_set_back_makes_a_retry_wait_no_longer_than_its_own_delay()
    {
        var worker = _world.Worker();
        _world.Submit("a");
        worker.Fail("a", FailureKind.Transient);
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromDays(-1));
        _world.Advance(seconds: 2);
        Assert.Equal(["a", "a"], worker.Given);
    }

    [Fact]
    public void A_task_past_its_deadline_is_a_dead_letter_and_never_starts()
    {
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(10) });
        _world.Advance(seconds: 10);
        var worker = _world.Worker();
        Assert.Empty(worker.Given);
        var task = _world.Task(goal, "a");
        Assert.Equal((TaskState.Dead, FailureKind.Permanent, 0, 0), (task.State, task.Failure!.Kind, task.Attempt, task.FailureCount));
        Assert.Contains("deadline passed at", task.Failure.Reason, StringComparison.Ordinal);
        Assert.Equal(GoalState.Failed, _world.Goal(goal).State);
    }

    [Fact]
    public void A_task_that_runs_past_its_deadline_is_taken_from_its_worker()
    {
        var worker = _world.Worker();
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(10) });
        var assignment = worker["a"];
        _world.Advance(seconds: 10);
        Assert.Equal(["a"], worker.Revoked);
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
        Assert.Equal(RefusalKind.Late, worker.Complete(assignment).Refusal!.Kind);
    }

    [Fact]
    public void A_task_that_waits_for_others_past_its_deadline_is_a_dead_letter_too()
    {
        _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("a", spec => spec with { LeaseDuration = TimeSpan.FromMinutes(5) }), Steps.Add("b after a", spec => spec with { Extras = new TaskExtras { Deadline = _world.Now.AddSeconds(10) } }), Steps.Add("c after b", spec => spec)],
        })).Value.Id;
        _world.Advance(seconds: 10);
        _world.AssertStates(goal, "a Running, b Dead, c Cancelled");
    }

    /// <summary>Found by the simulation: the task was brought back to wait for what could no longer be, and its goal never ended.</summary>
    [Fact]
    public void A_dead_letter_that_is_replayed_after_another_way_was_taken_is_left_out_and_its_goal_ends()
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            DeadTaskPolicy = DeadTaskPolicy.Wait,
            Plan = [Steps.Add("a", spec => spec with { LeaseDuration = TimeSpan.FromMinutes(5) }), Steps.Add("b when a=yes", spec => spec with { Extras = new TaskExtras { Deadline = _world.Now.AddSeconds(10) } }), Steps.Add("c after b", spec => spec)],
        })).Value.Id;
        _world.Advance(seconds: 10);
        worker.CompleteWith("no", "a");
        _world.AssertStates(goal, "a Completed, b Dead, c Pending");

        Assert.True(_world.Redrive(goal, "b").IsOk);
        _world.AssertStates(goal, "a Completed, b Cancelled, c Cancelled");
        Assert.Equal(GoalState.Completed, _world.Plan(goal).Goal.State);
    }

    [Fact]
    public void A_task_that_ends_in_time_has_no_deadline_any_more()
    {
        var worker = _world.Worker();
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(10) });
        worker.Complete("a");
        _world.Advance(seconds: 20);
        Assert.Equal(TaskState.Completed, _world.State(goal, "a"));
    }

    [Fact]
    public void Deadlines_survive_a_restart_and_a_takeover()
    {
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(30) });
        _world.Node.Restart();
        _world.Advance(seconds: 31);
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
        _world.Node.Restart();
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
    }

    [Fact]
    public void A_clock_that_is_set_forward_past_a_deadline_is_noticed_within_a_second()
    {
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddHours(1) });
        _world.Virtual.Clock.ShiftCalendar(TimeSpan.FromHours(2));
        _world.Advance(seconds: 1);
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
    }

    [Fact]
    public void A_person_who_replays_it_wants_it_late_as_it_is()
    {
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(10) });
        _world.Advance(seconds: 11);
        Assert.True(_world.Redrive(goal, "a").IsOk);
        _world.Node.Restart();
        _world.Advance(seconds: 60);
        Assert.Equal(["a"], _world.Worker().Given);
    }

    [Fact]
    public void A_deadline_that_an_edit_gives_holds_and_one_that_it_takes_away_does_not()
    {
        var goal = _world.Submit("a", "b");
        var until = new TaskExtras { Deadline = _world.Now.AddSeconds(10) };
        Assert.True(_world.Edit(goal, new GraphEdit.Replace(SpecOf(goal, "a") with { Extras = until }), Steps.Add("c", spec => spec with { Extras = until })).IsOk);
        Assert.True(_world.Edit(goal, new GraphEdit.Replace(SpecOf(goal, "b") with { Extras = until })).IsOk);
        Assert.True(_world.Edit(goal, new GraphEdit.Replace(SpecOf(goal, "b") with { Extras = TaskExtras.None })).IsOk);
        _world.Advance(seconds: 11);
        _world.AssertStates(goal, "a Dead, b Ready, c Dead");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_replayed_before_its_deadline_lapses_at_it(bool afterRestart)
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            // What waits lapses before what it waits for, or it would be doomed by that.
            Plan = [Steps.Add("a", Within(60)), Steps.Add("b after a", Within(50)), Steps.Add("c after b", Within(40))],
        })).Value.Id;
        worker.Fail("a");
        worker.Disconnect();
        _world.AssertStates(goal, "a Dead, b Cancelled, c Cancelled");
        if (afterRestart)
            _world.Node.Restart();
        else
            // Long enough for the goal that has failed to leave the memory.
            _world.Advance(seconds: 20);
        Assert.True(_world.Redrive(goal, "a").IsOk);
        _world.AssertStates(goal, "a Ready, b Pending, c Pending");
        _world.Advance(seconds: 61);
        _world.AssertStates(goal, "a Dead, b Dead, c Dead");
    }

    [Fact]
    public void An_effect_that_nobody_knows_about_is_not_given_up_at_a_deadline()
    {
        var worker = _world.Worker();
        var goal = SubmitWith(new TaskExtras { Deadline = _world.Now.AddSeconds(10) });
        Assert.True(_world.Node.Do(_ => worker.Link.IntendAsync(TestWorker.Attempt(worker["a"]), "pays the invoice")).IsOk);
        _world.Advance(seconds: 11);
        Assert.Equal(["a"], worker.Revoked);
        Assert.Equal((TaskState.Pending, FailureKind.UnknownEffect), (_world.State(goal, "a"), _world.Task(goal, "a").Failure!.Kind));
        _world.Node.Restart();
        _world.Advance(seconds: 60);
        Assert.Equal(TaskState.Pending, _world.State(goal, "a"));

        // Nothing was sent, and now it is too late to.
        var task = _world.Task(goal, "a").Id;
        Assert.True(_world.Node.Ask(node => node.ResolveEffectAsync(_world.Caller, task, EffectState.NotSent, default)).IsOk);
        _world.Advance(seconds: 1);
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
        Assert.Contains("deadline passed at", _world.Task(goal, "a").Failure!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_deadline_before_the_due_time_is_refused() => Assert.Contains(
        "it could never run",
        _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { NotBefore = _world.Now.AddHours(1), Deadline = _world.Now } })],
        })).Reason, StringComparison.Ordinal);

    private Func<TaskSpec, TaskSpec> Within(double seconds) => spec => spec with { Extras = new TaskExtras { Deadline = _world.Now.AddSeconds(seconds) } };

    private TaskSpec SpecOf(GoalId goal, string name) => _world.Task(goal, name).Spec;

    private GoalId SubmitWith(TaskExtras extras) => _world.Submit("a", spec => spec with { Extras = extras });
}
