using Astra.Kernel.Controls;
using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class LimitTests
{
    private readonly World _world = World.With();

    /// <summary>Found by the simulation: the exception of an actor that had stopped came out of the kernel.</summary>
    [Fact]
    public void A_limit_that_is_set_on_a_node_that_has_stopped_is_kept_and_the_answer_says_so()
    {
        var kernel = _world.Node.Kernel;
        _world.Node.StopCleanly();
        var answer = _world.Node.Do(_ => kernel.ChangeControlsAsync(_world.Tenant, new ControlChange.SetLimit(new Limit(LimitScope.Tenant, "", 2, null, null))));
        Assert.Equal(RefusalKind.Unavailable, answer.Refusal?.Kind);
    }

    [Theory]
    [InlineData(LimitScope.Tenant, "")]
    [InlineData(LimitScope.Agent, "writer")]
    [InlineData(LimitScope.Tool, "shell")]
    [InlineData(LimitScope.Queue, "emails")]
    public void No_more_tasks_run_at_once_than_the_limit_says(LimitScope scope, string name)
    {
        _world.Set(scope, name, concurrency: 2);
        var worker = Worker();
        for (var i = 0; i < 5; i++)
            Submit();
        for (var left = 5; left > 0; left--)
        {
            Assert.Equal(Math.Min(2, left), worker.Holds.Count);
            worker.Complete(worker.Holds[0]);
        }
    }

    [Theory]
    [InlineData(LimitScope.Tenant, "")]
    [InlineData(LimitScope.Agent, "writer")]
    [InlineData(LimitScope.Tool, "shell")]
    [InlineData(LimitScope.Queue, "emails")]
    public void No_more_tasks_start_in_a_second_than_the_limit_says(LimitScope scope, string name)
    {
        _world.Set(scope, name, perSecond: 3);
        var worker = Worker(slots: 100).CompleteAll();
        for (var i = 0; i < 20; i++)
            Submit();
        Assert.Equal(3, worker.Given.Count);
        // A third of a second is no whole number of ticks.
        _world.Advance(seconds: 0.001);
        for (var second = 1; second <= 5; second++)
        {
            _world.Advance(seconds: 1);
            Assert.Equal(3 + 3 * second, worker.Given.Count);
        }
    }

    [Fact]
    public void A_rate_per_minute_lets_the_next_one_start_when_its_part_of_the_minute_is_over()
    {
        _world.Set(LimitScope.Queue, "emails", perMinute: 6);
        var worker = Worker(slots: 100).CompleteAll();
        for (var i = 0; i < 9; i++)
            Submit();
        Assert.Equal(6, worker.Given.Count);
        _world.Advance(seconds: 9.9);
        Assert.Equal(6, worker.Given.Count);
        _world.Advance(seconds: 0.2);
        Assert.Equal(7, worker.Given.Count);
    }

    [Fact]
    public void A_limit_holds_from_the_moment_it_is_set_and_no_longer_than_until_it_is_removed()
    {
        var worker = Worker();
        Submit();
        _world.Set(LimitScope.Queue, "emails", concurrency: 1);
        Submit();
        Assert.Single(worker.Holds);
        _world.Change(new ControlChange.RemoveLimit(LimitScope.Queue, "emails"));
        Assert.Equal(2, worker.Holds.Count);
    }

    [Fact]
    public void A_limit_of_none_lets_nothing_run()
    {
        _world.Set(LimitScope.Queue, "emails", concurrency: 0);
        var worker = Worker();
        Submit();
        Assert.Empty(worker.Holds);
    }

    [Fact]
    public void A_limit_of_one_tenant_holds_nobody_else_back()
    {
        _world.Set(LimitScope.Queue, "emails", concurrency: 0);
        var worker = _world.Worker();
        _world.Submit("a", spec => spec with { Extras = new TaskExtras { Queue = "emails" } }, tenant: new TenantId(new Guid(8, 8, 8, new byte[8])));
        Assert.Single(worker.Holds);
    }

    [Fact]
    public void What_a_limit_holds_back_does_not_stand_in_the_way_of_the_rest()
    {
        _world.Set(LimitScope.Queue, "emails", concurrency: 1);
        var worker = Worker();
        Submit();
        Submit();
        _world.Submit("other", spec => spec with { Executor = "tool:shell@1" }, agent: "writer");
        Assert.Contains("other", worker.Holds);
    }

    [Fact]
    public void Limits_hold_from_the_first_task_after_a_restart()
    {
        _world.Set(LimitScope.Queue, "emails", concurrency: 1);
        Submit();
        Submit();
        _world.Node.Restart();
        Assert.Single(Worker().Holds);
    }

    [Fact]
    public void What_a_worker_of_a_process_that_is_gone_still_has_counts_until_its_lease_ends()
    {
        _world.Set(LimitScope.Queue, "emails", concurrency: 1);
        Worker();
        Submit();
        Submit();
        _world.Node.Restart();
        var worker = Worker();
        Assert.Empty(worker.Holds);
        _world.Advance(seconds: 31);
        Assert.Single(worker.Holds);
    }

    [Fact]
    public void A_limit_set_on_one_node_holds_on_the_others_at_once()
    {
        var world = World.With(nodes: 2);
        world.Set(LimitScope.Queue, "emails", concurrency: 0);
        var workers = world.Nodes.Select(node => node.Worker()).ToList();
        foreach (var node in world.Nodes)
            node.Ask(kernel => kernel.SubmitAsync(world.Caller, World.Request() with { Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { Queue = "emails" } })] }));
        Assert.All(workers, worker => Assert.Empty(worker.Holds));
    }

    [Fact]
    public void Nodes_take_equal_parts_of_a_limit_rounded_up()
    {
        var world = World.With(nodes: 2);
        world.Set(LimitScope.Queue, "emails", concurrency: 3);
        var workers = world.Nodes.Select(node => node.Worker()).ToList();
        foreach (var node in world.Nodes)
            for (var i = 0; i < 5; i++)
                node.Ask(kernel => kernel.SubmitAsync(world.Caller, World.Request() with { Plan = [Steps.Add("a", spec => spec with { Extras = new TaskExtras { Queue = "emails" } })] }));
        Assert.All(workers, worker => Assert.Equal(2, worker.Holds.Count));
    }

    [Fact]
    public void A_node_that_missed_the_word_sees_the_limit_with_its_next_renewal()
    {
        var world = World.With(nodes: 2);
        world.Nodes[1].Do(async _ =>
        {
            await world.Store.Controls.ApplyAsync(world.Tenant, new ControlChange.SetLimit(new Limit(LimitScope.Tenant, "", 0, null, null)), CancellationToken.None);
            return true;
        });
        world.Advance(seconds: 3.1);
        var worker = world.Nodes[0].Worker();
        world.Submit("a");
        Assert.Empty(worker.Holds);
    }

    [Theory]
    [InlineData(LimitScope.Queue, "", 1, "Say which queue the limit is for.")]
    [InlineData(LimitScope.Tenant, "x", 1, "The limit of a tenant has no name beside it.")]
    [InlineData(LimitScope.Queue, "x", -1, "A limit at once is 0 or more, and one per second or minute 1 or more.")]
    [InlineData(LimitScope.Queue, "x", null, "A limit says how many tasks run at once, start in a second, or start in a minute.")]
    public void A_limit_that_makes_no_sense_is_refused(LimitScope scope, string name, int? concurrency, string reason) => Assert.Equal(
        reason, _world.Node.Refused(node => node.ChangeControlsAsync(_world.Tenant, new ControlChange.SetLimit(new Limit(scope, name, concurrency, null, null)))).Reason);

    [Fact]
    public void A_limit_that_is_not_there_cannot_be_removed() => Assert.Equal(
        RefusalKind.NotFound, _world.Node.Refused(node => node.ChangeControlsAsync(_world.Tenant, new ControlChange.RemoveLimit(LimitScope.Queue, "x"))).Kind);

    private TestWorker Worker(int slots = 8) => _world.Worker(slots, executors: "tool:shell@1");

    private void Submit() => _world.Submit(
        "a", spec => spec with { Executor = "tool:shell@1", Extras = new TaskExtras { Queue = "emails" } }, agent: "writer");
}
