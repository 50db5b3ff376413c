using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class DeadLetterTests
{
    private readonly World _world = World.With(limits: new KernelLimits { RetryDelayMin = TimeSpan.FromSeconds(1), RetryDelayMax = TimeSpan.FromSeconds(4) });

    [Fact]
    public void The_story_of_a_task_names_every_attempt_and_what_people_did()
    {
        var goal = _world.Submit("a");
        var first = _world.Worker();
        first.Fail("a", FailureKind.Transient, "the disk is slow");
        _world.Advance(seconds: 5);
        first.Disconnect();
        _world.RunUntilQuiet();
        var second = _world.Worker();
        second.Fail("a", FailureKind.Permanent, "the disk is gone");
        var id = _world.Task(goal, "a").Id;
        Assert.True(_world.Node.Ask(node => node.FixAsync(_world.Caller, id, null, "\"elsewhere\""u8.ToArray())).IsOk);
        _world.Redrive(goal, "a");

        var story = _world.Node.Ask(node => node.GetStoryAsync(_world.Tenant, id)).Value;

        Assert.Equal([(1, EventKind.TaskRetried), (2, EventKind.TaskExpired), (3, EventKind.TaskDied), (4, (EventKind?)null)], story.Attempts.Select(attempt => (attempt.Attempt, attempt.Ending)));
        Assert.Equal(["the disk is slow", "its worker disconnected", "the disk is gone", null], story.Attempts.Select(attempt => attempt.Failure?.Reason ?? attempt.Reason));
        Assert.All(story.Attempts.Take(3), attempt => Assert.True(attempt.EndedAt >= attempt.StartedAt));
        Assert.Equal([EventKind.TaskFixed, EventKind.TaskRedriven], story.Interventions.Select(intervention => intervention.Kind));
    }

    [Fact]
    public void A_dead_letter_is_fixed_and_runs_with_what_it_was_fixed_to_also_after_a_restart()
    {
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a");
        _world.Worker().Fail("a");
        var id = _world.Task(goal, "a").Id;
        var repaired = _world.Node.Ask(node => node.FixAsync(_world.Caller, id, "agent:second", "[1]"u8.ToArray())).Value;
        Assert.Equal((TaskState.Dead, "agent:second", "[1]"), (repaired.State, repaired.Spec.Executor, System.Text.Encoding.UTF8.GetString(repaired.Spec.Input.Span)));
        _world.Node.Restart();
        _world.Redrive(goal, "a");
        var worker = _world.Worker(executors: "agent:second");
        Assert.Equal("[1]"u8.ToArray(), worker["a"].Spec.Input.ToArray());
    }

    [Fact]
    public void Only_a_dead_letter_is_fixed_and_only_within_the_bounds_of_a_step()
    {
        var goal = _world.Submit("a");
        var id = _world.Task(goal, "a").Id;
        Assert.Equal(RefusalKind.Conflict, _world.Node.Refused(node => node.FixAsync(_world.Caller, id, "agent:x", null)).Kind);
        _world.Worker().Fail("a");
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => node.FixAsync(_world.Caller, id, "", null)).Kind);
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => node.FixAsync(_world.Caller, id, null, new byte[300 * 1024])).Kind);
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => node.FixAsync(_world.Caller, id, null, null)).Kind);
        Assert.Equal(0, _world.CountOf(goal, EventKind.TaskFixed));
    }

    [Fact]
    public void A_dead_letter_of_a_goal_that_has_left_memory_is_fixed_and_replayed()
    {
        var goal = _world.Submit("a");
        var worker = _world.Worker();
        worker.Fail("a");
        _world.Advance(seconds: 120);
        var id = _world.Task(goal, "a").Id;
        Assert.True(_world.Node.Ask(node => node.FixAsync(_world.Caller, id, null, "2"u8.ToArray())).IsOk);
        _world.Redrive(goal, "a");
        Assert.Equal("2"u8.ToArray(), worker["a"].Spec.Input.ToArray());
    }

    [Fact]
    public void Dead_letters_are_grouped_by_cause()
    {
        var worker = _world.Worker();
        _world.Submit("a", "b");
        worker.Fail("a");
        worker.Fail("b");
        var group = Assert.Single(_world.Node.Ask(node => node.ListDeadGroupsAsync(_world.Tenant, 10)).Value);
        Assert.Equal(("luck", 2, "no luck"), (group.Fingerprint, group.Count, group.SampleReason));
        Assert.Empty(_world.Node.Ask(node => node.ListDeadTasksAsync(_world.Tenant, "other", null, 10)).Value);
    }

    [Fact]
    public void A_goal_that_has_used_up_its_retries_tries_nothing_again()
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Extras = new GoalExtras { RetriesMax = 2 }, Plan = Steps.Of("a", "b", "c"), DeadTaskPolicy = DeadTaskPolicy.Wait,
        })).Value.Id;
        worker.Fail("a", FailureKind.Transient);
        worker.Fail("b", FailureKind.Transient);
        _world.Node.Restart();
        worker = _world.Worker();
        _world.Advance(seconds: 31);
        worker.Fail("c", FailureKind.Transient, "the net is down");
        Assert.Equal(TaskState.Dead, _world.State(goal, "c"));
        Assert.Equal("the net is down (Not tried again: the goal has used up the 2 retries of all its tasks together.)", _world.Task(goal, "c").Failure!.Reason);
        _world.Redrive(goal, "c");
        worker.Fail("c", FailureKind.Transient);
        Assert.Equal(TaskState.Ready, _world.State(goal, "c"));
    }

    [Fact]
    public void A_task_waits_between_attempts_as_its_own_policy_says()
    {
        var worker = _world.Worker();
        var policy = new RetryPolicy(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(90), 3);
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("a", spec => spec with { AttemptCountMax = 6, Extras = new TaskExtras { Retry = policy } })],
        })).Value.Id;
        foreach (var longest in new[] { 10.0, 30, 90, 90 })
        {
            worker.Fail("a", FailureKind.Transient);
            Assert.InRange((_world.Task(goal, "a").DueAt!.Value - _world.Now).TotalSeconds, longest / 2, longest);
            _world.Advance(seconds: longest);
        }
    }

    [Theory]
    [InlineData(5, 1, 2.0)]
    [InlineData(-1, 1, 2.0)]
    [InlineData(1, 100_000, 2.0)]
    [InlineData(1, 2, 0.5)]
    [InlineData(1, 2, double.NaN)]
    public void A_policy_that_makes_no_sense_is_refused(double min, double max, double factor) =>
        Assert.Equal(RefusalKind.Invalid, _world.Node.Refused(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { Retry = new RetryPolicy(TimeSpan.FromSeconds(min), TimeSpan.FromSeconds(max), factor) } })],
        })).Kind);
}
