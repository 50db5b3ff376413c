using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Each sentence is true: doing what it asks for makes the task run.</summary>
public sealed class WhyTests
{
    private World _world = World.With();

    [Fact]
    public void No_worker_offers_what_it_needs()
    {
        var goal = _world.Submit("a");
        Assert.Equal("No connected worker offers agent:test; start one that does.", _world.Why(goal, "a"));
        Assert.Equal("Task a waits to run. No connected worker offers agent:test; start one that does.", _world.Why(goal));
        _world.Worker();
        AssertRuns(goal, "a");
    }

    [Fact]
    public void A_worker_of_another_tenant_does_not_count()
    {
        _world.Worker(tenant: new TenantId(new Guid(8, 8, 8, new byte[8])));
        var goal = _world.Submit("a");
        Assert.Equal("No connected worker offers agent:test; start one that does.", _world.Why(goal, "a"));
        _world.Worker(tenant: _world.Tenant);
        AssertRuns(goal, "a");
    }

    [Fact]
    public void All_slots_are_taken()
    {
        var worker = _world.Worker(slots: 1);
        _world.Submit("busy");
        var goal = _world.Submit("a");
        Assert.Equal("All 1 slots of the workers that could take it are taken (agent:test).", _world.Why(goal, "a"));
        worker.Complete("busy");
        AssertRuns(goal, "a");
    }

    [Fact]
    public void The_tenant_is_at_its_limit()
    {
        _world = World.With(limits: new KernelLimits { RunningTasksPerTenantMax = 1 });
        var worker = _world.Worker();
        _world.Submit("busy");
        var goal = _world.Submit("a");
        Assert.Equal("The tenant runs 1 tasks here, and 1 is its limit.", _world.Why(goal, "a"));
        worker.Complete("busy");
        AssertRuns(goal, "a");
    }

    [Fact]
    public void The_agent_is_at_its_limit()
    {
        _world = World.With(limits: new KernelLimits { RunningTasksPerAgentMax = 1 });
        var worker = _world.Worker();
        _world.Submit("busy");
        var goal = _world.Submit("a");
        Assert.Equal("What has no agent runs 1 tasks here, and 1 is its limit.", _world.Why(goal, "a"));
        worker.Complete("busy");
        AssertRuns(goal, "a");
    }

    [Fact]
    public void It_waits_for_one_other()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        Assert.Equal("Task b waits for a, which is running.", _world.Why(goal, "b"));
        worker.Complete("a");
        AssertRuns(goal, "b");
    }

    [Fact]
    public void It_waits_for_several_others()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b", "c after a b");
        Assert.Equal("Task c waits for 2 others, the first of them a, which is running.", _world.Why(goal, "c"));
        worker.Complete("a");
        Assert.Equal("Task c waits for b, which is running.", _world.Why(goal, "c"));
        worker.Complete("b");
        AssertRuns(goal, "c");
    }

    [Fact]
    public void It_waits_for_a_dead_letter()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b after a");
        worker.Fail("a");
        Assert.Equal("Task b waits for a, which is a dead letter: replay or discard that.", _world.Why(goal, "b"));
        Assert.Equal("It waits for a decision about dead task a: replay or discard it.", _world.Why(goal));
        _world.Redrive(goal, "a");
        worker.Complete("a");
        AssertRuns(goal, "b");
    }

    [Fact]
    public void It_is_a_dead_letter()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Fail("a", reason: "no disk");
        Assert.Equal("Task a is a dead letter after 1 failed attempts (permanent): no disk", _world.Why(goal, "a"));
        Assert.Equal("The goal has failed. Task a died: no disk", _world.Why(goal));
        _world.Redrive(goal, "a");
        AssertRuns(goal, "a");
    }

    [Fact]
    public void The_next_attempt_is_not_due_yet()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Fail("a", FailureKind.Transient, "the line was busy");
        Assert.Equal($"Attempt 1 failed (the line was busy); the next one is due at {_world.Task(goal, "a").DueAt:HH:mm:ss} UTC.", _world.Why(goal, "a"));
        _world.Advance(seconds: 1);
        AssertRuns(goal, "a");
    }

    [Fact]
    public void It_is_running()
    {
        _world.Worker();
        var goal = _world.Submit("a");
        _world.Advance(seconds: 2.5);
        Assert.Equal("Worker worker has been running attempt 1 for 2.5 seconds.", _world.Why(goal, "a"));
        Assert.Equal("It is being worked on: a running.", _world.Why(goal));
    }

    [Fact]
    public void Its_lease_was_lost_and_it_waits_for_a_worker()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Disconnect();
        Assert.Equal("No connected worker offers agent:test; start one that does.", _world.Why(goal, "a"));
        _world.Worker();
        AssertRuns(goal, "a");
    }

    [Fact]
    public void It_was_doomed()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b after a");
        worker.Fail("a");
        Assert.Equal("Task b was cancelled: It waits for a, which will not complete.", _world.Why(goal, "b"));
        _world.Redrive(goal, "a");
        worker.Complete("a");
        AssertRuns(goal, "b");
    }

    [Fact]
    public void It_has_ended()
    {
        var worker = _world.Worker();
        var (done, cancelled) = (_world.Submit("a"), _world.Submit("b"));
        worker.Complete("a");
        _world.Cancel(cancelled);
        Assert.Equal(("The goal is completed.", "Task a is completed."), (_world.Why(done), _world.Why(done, "a")));
        Assert.Equal(("The goal was cancelled: changed my mind", "Task b was cancelled: changed my mind"), (_world.Why(cancelled), _world.Why(cancelled, "b")));
    }

    [Fact]
    public void Nobody_knows_an_id_that_is_not_there()
    {
        var refusal = _world.Node.Refused(node => node.WhyAsync(_world.Tenant, new Guid("0198c5d7-1234-7000-8def-0123456789ab")));
        Assert.Equal(RefusalKind.NotFound, refusal.Kind);
        Assert.StartsWith("There is no goal, task, schedule or worker", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_evidence_stands_next_to_the_sentence()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a", "b");
        worker.Complete("a");
        var evidence = _world.Node.Ask(node => node.WhyAsync(_world.Tenant, goal.Value)).Value.Evidence;
        Assert.Equal(("active", "1 of 2 completed", "1"), (evidence["state"], evidence["tasks"], evidence["running"]));
    }

    private void AssertRuns(GoalId goal, string name) => Assert.Equal(TaskState.Running, _world.State(goal, name));
}
