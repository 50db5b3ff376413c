using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

/// <summary>A worker that is connected and says nothing: it hangs, or the network between has failed and nobody was told.</summary>
public sealed class SilenceTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_worker_whose_lease_has_ended_is_given_nothing_until_it_is_heard()
    {
        var worker = Hung();
        var goal = _world.Submit("a", "b after a");
        _world.Advance(seconds: 60);
        Assert.Equal(["a"], worker.Given);
        _world.AssertStates(goal, "a Ready, b Pending");
        worker.Heartbeat();
        _world.RunUntilQuiet();
        Assert.Equal(["a", "a"], worker.Given);
        Assert.True(worker.Complete("a").IsOk);
        Assert.Equal(["a", "a", "b"], worker.Given);
    }

    [Fact]
    public void A_task_with_a_short_lease_does_not_become_poison_on_a_worker_that_is_silent()
    {
        var worker = Hung();
        var goal = _world.Submit("a", Short);
        _world.Advance(seconds: 600);
        Assert.Equal((TaskState.Ready, 1, 1), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt, _world.Task(goal, "a").ExpiryCount));
        Assert.Equal(["a"], worker.Revoked);
        var other = _world.Worker();
        Assert.Equal(["a"], other.Given);
    }

    [Fact]
    public void A_report_that_is_refused_is_a_sign_of_life_too()
    {
        var worker = Hung();
        var goal = _world.Submit("a");
        var first = worker["a"];
        _world.Advance(seconds: 31);
        Assert.Equal(RefusalKind.Late, worker.Complete(first).Refusal!.Kind);
        _world.RunUntilQuiet();
        Assert.Equal((TaskState.Running, 2), (_world.State(goal, "a"), _world.Task(goal, "a").Attempt));
    }

    [Fact]
    public void A_worker_that_says_anything_at_all_is_not_silent()
    {
        var worker = Hung();
        _world.Submit("a", Short);
        _world.Advance(seconds: 2);
        Assert.Equal(["a"], worker.Given);
        _world.Node.Do(_ =>
        {
            worker.Link.Heard();
            return ValueTask.FromResult(true);
        });
        Assert.Equal(["a", "a"], worker.Given);
    }

    [Fact]
    public void Others_take_over_and_why_says_who_is_silent()
    {
        Hung();
        var goal = _world.Submit("a", Short);
        _world.Advance(seconds: 5);
        Assert.StartsWith("Every worker that could take it has fallen silent (worker, for 4.0 seconds)", _world.Why(goal, "a"), StringComparison.Ordinal);
        Assert.Equal(["a"], _world.Worker().Given);
    }

    [Fact]
    public void Why_says_of_a_worker_that_it_is_silent()
    {
        var worker = Hung();
        _world.Submit("a", Short);
        _world.Advance(seconds: 5);
        Assert.StartsWith("Worker worker has been silent for 4.0 seconds and is given nothing until it is heard", WhyOf(worker), StringComparison.Ordinal);
        worker.Heartbeat();
        Assert.DoesNotContain("silent", WhyOf(worker), StringComparison.Ordinal);
    }

    [Fact]
    public void A_scheduler_that_is_started_anew_still_knows_who_is_silent()
    {
        var worker = Hung();
        _world.Submit("a", Short);
        _world.Advance(seconds: 5);
        Assert.True(_world.Node.Kernel.Actors.Restart("/scheduler", "ada").IsOk);
        _world.Advance(seconds: 30);
        Assert.Equal(["a"], worker.Given);
        worker.Heartbeat();
        _world.Advance(seconds: 1);
        Assert.Equal(["a", "a"], worker.Given);
    }

    [Fact]
    public void A_silent_worker_that_leaves_and_comes_back_is_a_new_one()
    {
        var worker = Hung();
        _world.Submit("a", Short);
        _world.Advance(seconds: 5);
        worker.Disconnect();
        Assert.Equal(["a"], _world.Worker().Given);
    }

    [Fact]
    public void A_worker_that_answers_when_it_is_told_that_its_attempt_is_over_goes_on_at_once()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", Short);
        _world.Advance(seconds: 1.1);
        Assert.Equal(["a", "a"], worker.Given);
        Assert.Equal(TaskState.Running, _world.State(goal, "a"));
    }

    private TestWorker Hung()
    {
        var worker = _world.Worker();
        worker.IsHung = true;
        return worker;
    }

    private static TaskSpec Short(TaskSpec spec) => spec with { LeaseDuration = TimeSpan.FromSeconds(1) };

    private string WhyOf(TestWorker worker) => _world.Node.Ask(node => node.WhyAsync(_world.Tenant, worker.Link.Id.Value)).Value.Sentence;
}
