using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Astra.Kernel.Workers;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class LeaseTests
{
    private readonly World _world = World.With();

    [Fact]
    public void An_expired_lease_is_claimed_by_another_worker()
    {
        var silent = _world.Worker();
        var goal = _world.Submit("a");
        var other = _world.Worker();
        _world.Advance(seconds: 31);
        Assert.Equal(["a"], silent.Revoked);
        Assert.Equal(2, _world.Task(goal, "a").Attempt);
        Assert.Single(silent.Given.Concat(other.Given).Skip(1));
    }

    [Fact]
    public void A_heartbeat_renews_the_lease()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        for (var i = 0; i < 10; i++)
        {
            _world.Advance(seconds: 20);
            Assert.Empty(worker.Heartbeat());
        }
        Assert.Equal((TaskState.Running, 1), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
    }

    [Fact]
    public void A_short_lease_is_watched_though_a_long_one_was_there_first()
    {
        _world.Worker(slots: 2);
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("long", spec => spec with { LeaseDuration = TimeSpan.FromHours(1) }), Steps.Add("short", spec => spec with { LeaseDuration = TimeSpan.FromSeconds(1), Priority = -10 })],
        })).Value.Id;
        _world.Advance(seconds: 1.5);
        Assert.Equal(2, _world.Task(goal, "short").Attempt);
    }

    [Fact]
    public void The_report_of_an_attempt_that_is_over_is_late()
    {
        var worker = _world.Worker();
        _world.Submit("a");
        var first = worker["a"];
        _world.Advance(seconds: 31);
        var refusal = worker.Complete(first).Refusal!;
        Assert.Equal((RefusalKind.Late, "Attempt 1 of a is over; the latest is 2."), (refusal.Kind, refusal.Reason));
        Assert.True(worker.Complete("a").IsOk);
    }

    [Fact]
    public void A_completion_that_is_delivered_twice_is_answered_as_the_first_time()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        var assignment = worker["a"];
        Assert.Equal(TaskState.Completed, worker.Complete(assignment).Value);
        Assert.Equal(TaskState.Completed, worker.Complete(assignment).Value);
        Assert.Equal(1, _world.CountOf(goal, EventKind.TaskCompleted));
    }

    [Fact]
    public void Another_workers_report_of_a_running_attempt_is_refused()
    {
        var holder = _world.Worker();
        _world.Submit("a");
        var other = _world.Worker();
        Assert.Equal("Another worker holds attempt 1 of a.", other.Complete(holder["a"]).Refusal!.Reason);
    }

    [Fact]
    public void A_disconnect_gives_the_work_to_others_at_once()
    {
        var leaving = _world.Worker();
        var goal = _world.Submit("a");
        var other = _world.Worker();
        leaving.Disconnect();
        Assert.Equal(["a"], other.Given);
        Assert.Equal((2, 1), (_world.Task(goal, "a").Attempt, _world.Task(goal, "a").ExpiryCount));
    }

    [Fact]
    public void A_draining_worker_finishes_what_it_has_and_is_given_nothing_more()
    {
        var worker = _world.Worker(slots: 2);
        _world.Submit("a", "b after a");
        _world.Node.Do(_ =>
        {
            worker.Link.Drain();
            return ValueTask.FromResult(true);
        });
        Assert.True(worker.Complete("a").IsOk);
        Assert.Equal(["a"], worker.Given);
    }

    [Fact]
    public void A_new_owner_gives_a_healthy_worker_a_full_period()
    {
        var goal = Running(isInProcess: false);
        _world.Advance(seconds: 25);
        _world.Node.Restart();
        _world.Advance(seconds: 25);
        Assert.Equal((TaskState.Running, 1), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
        _world.Advance(seconds: 10);
        Assert.Equal(TaskState.Ready, _world.State(goal, "a"));
    }

    [Fact]
    public void The_work_of_a_process_that_is_gone_is_given_to_others_at_once()
    {
        var goal = Running(isInProcess: true);
        _world.Node.Restart();
        Assert.Equal(TaskState.Ready, _world.State(goal, "a"));
    }

    [Fact]
    public void A_worker_keeps_its_lease_when_its_shard_is_rebuilt_on_the_same_node()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        _world.Node.Journal.LosesNextReply = true;
        worker.Complete("b");
        _world.Advance(seconds: 1);
        Assert.Empty(worker.Heartbeat());
        Assert.True(worker.Complete("a").IsOk);
        Assert.Equal(GoalState.Completed, _world.Goal(goal).State);
    }

    [Fact]
    public void Every_attempt_has_a_number_of_its_own_across_redrives_and_restarts()
    {
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a");
        for (var round = 0; round < 3; round++)
        {
            _world.Worker().Fail("a");
            _world.Node.Restart();
            _world.Redrive(goal, "a");
        }
        Assert.Equal([1, 2, 3], _world.Events(goal).Where(entry => entry.Kind == EventKind.TaskClaimed).Select(entry => entry.Attempt));
    }

    private GoalId Running(bool isInProcess)
    {
        _world.Worker(isInProcess: isInProcess);
        var goal = _world.Submit("a");
        Assert.Equal(TaskState.Running, _world.State(goal, "a"));
        return goal;
    }
}
