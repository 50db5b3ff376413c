using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class RetryTests
{
    private static readonly KernelLimits Limits = new() { RetryDelayMin = TimeSpan.FromSeconds(1), RetryDelayMax = TimeSpan.FromSeconds(4), ExpiryCountMax = 3 };

    private readonly World _world = World.With(limits: Limits);

    [Fact]
    public void A_transient_failure_is_tried_again_after_a_delay_that_doubles_to_its_cap()
    {
        var worker = _world.Worker();
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [Steps.Add("a", spec => spec with { AttemptCountMax = 6 })] })).Value.Id;
        foreach (var longest in new[] { 1.0, 2, 4, 4, 4 })
        {
            worker.Fail("a", FailureKind.Transient);
            var delay = (_world.Task(goal, "a").DueAt!.Value - _world.Now).TotalSeconds;
            Assert.InRange(delay, longest / 2, longest);
            _world.Advance(seconds: longest);
            Assert.Equal(["a"], worker.Holds);
        }
        worker.Fail("a", FailureKind.Transient);
        Assert.Equal(TaskState.Dead, _world.State(goal, "a"));
    }

    [Fact]
    public void A_task_with_a_longer_delay_of_its_own_waits_that_long()
    {
        var worker = _world.Worker();
        var patient = new TaskExtras { Retry = new RetryPolicy(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10), Factor: 1) };
        _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [Steps.Add("a", spec => spec with { Extras = patient })] }));
        worker.Fail("a", FailureKind.Transient);
        _world.Advance(seconds: 299);
        Assert.Equal(["a"], worker.Given);
        _world.Advance(seconds: 301);
        Assert.True(worker.Given.Count > 1);
    }

    [Fact]
    public void A_permanent_failure_is_a_dead_letter_at_once()
    {
        var worker = _world.Worker();
        var goal = _world.Submit("a");
        worker.Fail("a", FailureKind.Permanent, "the file is not there");
        var task = _world.Task(goal, "a");
        Assert.Equal((TaskState.Dead, 1, "the file is not there"), (task.State, task.Attempt, task.Failure!.Reason));
    }

    [Fact]
    public void A_task_that_loses_one_worker_after_another_is_poison()
    {
        var goal = _world.Submit("a");
        for (var lost = 1; lost <= Limits.ExpiryCountMax; lost++)
        {
            Assert.Equal(TaskState.Ready, _world.State(goal, "a"));
            _world.Worker().Disconnect();
            _world.RunUntilQuiet();
        }
        var task = _world.Task(goal, "a");
        Assert.Equal((TaskState.Dead, FailureKind.Poison), (task.State, task.Failure!.Kind));
        Assert.Contains("It lost 3 workers", task.Failure.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Dead_letters_are_listed_and_a_redriven_one_is_not()
    {
        var worker = _world.Worker();
        var goal = _world.Submit(DeadTaskPolicy.Wait, "a", "b");
        worker.Fail("a");
        worker.Fail("b");
        Assert.Equal(["b", "a"], Dead().OrderByDescending(name => name));
        _world.Redrive(goal, "a");
        Assert.Equal(["b"], Dead());

        IEnumerable<string> Dead() => _world.Node.Ask(node => node.ListDeadTasksAsync(_world.Tenant, null, null, 10)).Value.Select(dead => dead.Task.Spec.Name);
    }
}
