using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

/// <summary>A task that takes its workers down is given up; one whose workers go for other reasons is not.</summary>
public sealed class PoisonTests
{
    private readonly World _world = World.With(limits: new KernelLimits { ExpiryCountMax = 3 });

    [Fact]
    public void A_task_says_itself_how_many_workers_it_may_take_down()
    {
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with
        {
            Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { WorkersLostMax = 1 } })],
        })).Value.Id;
        _world.Worker().Disconnect();
        _world.RunUntilQuiet();
        Assert.Equal((TaskState.Dead, FailureKind.Poison), (_world.State(goal, "a"), _world.Task(goal, "a").Failure!.Kind));
    }

    [Fact]
    public void A_worker_that_stops_in_good_order_is_no_mark_against_its_task()
    {
        var goal = _world.Submit("a");
        for (var stopped = 0; stopped < 5; stopped++)
        {
            var worker = _world.Worker();
            worker.Link.Drain();
            worker.Disconnect();
            _world.RunUntilQuiet();
        }
        Assert.Equal((TaskState.Ready, 0, 5), (_world.State(goal, "a"), _world.Task(goal, "a").ExpiryCount, _world.CountOf(goal, EventKind.TaskReleased)));
    }

    [Fact]
    public void A_task_that_is_given_back_goes_to_another_at_once()
    {
        var first = _world.Worker(slots: 1);
        var goal = _world.Submit("a");
        var second = _world.Worker(slots: 1);
        first.Link.Drain();
        _world.RunUntilQuiet();
        Assert.True(_world.Node.Do(_ => first.Link.ReleaseAsync(TestWorker.Attempt(first["a"]), "shutting down")).IsOk);
        _world.RunUntilQuiet();
        Assert.Equal(["a"], second.Holds);
        Assert.Equal((2, 0), (_world.Task(goal, "a").Attempt, _world.Task(goal, "a").ExpiryCount));
    }

    [Fact]
    public void A_worker_that_the_new_owner_has_never_heard_of_is_not_counted_as_taken_down()
    {
        var goal = _world.Submit("a");
        for (var takeovers = 0; takeovers < 4; takeovers++)
        {
            _world.Worker();
            _world.Node.Restart();
            _world.Advance(seconds: 31);
            Assert.Equal(0, _world.Task(goal, "a").ExpiryCount);
        }
        Assert.NotEqual(TaskState.Dead, _world.State(goal, "a"));
    }

    [Fact]
    public void A_worker_is_given_no_more_than_it_offers_now()
    {
        var worker = _world.Worker(slots: 3);
        worker.Link.Offer(1);
        _world.RunUntilQuiet();
        _world.Submit("a", "b", "c", "d", "e");
        Assert.Single(worker.Holds);
        worker.Link.Offer(4);
        _world.RunUntilQuiet();
        Assert.Equal(4, worker.Holds.Count);
        worker.Link.Offer(0);
        worker.Complete(worker.Holds[0]);
        _world.RunUntilQuiet();
        Assert.Equal(3, worker.Holds.Count);
        var other = _world.Worker(slots: 5);
        Assert.Single(other.Holds);
    }
}
