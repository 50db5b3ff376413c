using Astra.Kernel.Tests.Simulation;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

public sealed class FairnessTests
{
    private readonly World _world = World.With();

    [Fact]
    public void A_quiet_tenant_is_served_next_to_a_noisy_one()
    {
        Submit(tenant: 1, count: 50);
        var worker = _world.Worker(slots: 1);
        Serve(worker, 5);
        Submit(tenant: 2, count: 1);
        Assert.Contains(2, Serve(worker, 2));
    }

    [Fact]
    public void Absence_earns_no_credit()
    {
        var worker = _world.Worker(slots: 1);
        for (var i = 0; i < 20; i++)
        {
            Submit(tenant: 1, count: 1);
            Serve(worker, 1);
        }
        Submit(tenant: 2, count: 20);
        Submit(tenant: 1, count: 20);
        Assert.InRange(Serve(worker, 20).Count(tenant => tenant == 2), 9, 11);
    }

    [Fact]
    public void Nobody_who_always_wants_more_is_behind_another_by_more_than_one_task() => Prop.ForAll<int[]>(draws =>
    {
        var world = World.With();
        for (var tenant = 0; tenant < 3; tenant++)
            Submit(tenant, count: 60, world: world);
        var worker = world.Worker(slots: 1);
        var used = new double[3];
        foreach (var draw in draws.Take(50))
        {
            var seconds = 1 + Math.Abs((long)draw) % 5;
            used[Serve(worker, 1, seconds, world)[0]] += seconds;
            Assert.True(used.Max() - used.Min() <= 5.1, $"Used: {string.Join(", ", used)}");
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Agents_of_a_tenant_share_its_part_alike()
    {
        Submit(tenant: 1, count: 40, agent: "many");
        Submit(tenant: 1, count: 10, agent: "few");
        var worker = _world.Worker(slots: 1);
        var agents = new List<string?>();
        for (var i = 0; i < 20; i++)
        {
            agents.Add(worker[worker.Holds[0]].Agent);
            Serve(worker, 1);
        }
        Assert.InRange(agents.Count(agent => agent == "few"), 9, 10);
    }

    [Fact]
    public void Priority_is_a_head_start_that_waiting_makes_up_for()
    {
        var worker = _world.Worker(slots: 1);
        _world.Submit("busy");
        SubmitAt(priority: 0, "old");
        _world.Advance(seconds: 4);
        SubmitAt(priority: 5, "urgent");
        _world.Advance(seconds: 2);
        SubmitAt(priority: 5, "too-late");
        worker.CompleteAll();
        Assert.Equal(["busy", "urgent", "old", "too-late"], worker.Given);

        void SubmitAt(int priority, string name) =>
            Assert.True(_world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request(name) with { Priority = priority })).IsOk);
    }

    [Fact]
    public void What_cannot_run_now_does_not_stand_in_the_way()
    {
        var goal = _world.Node.Ask(node => node.SubmitAsync(_world.Caller, World.Request() with { Plan = [Steps.Add("rare", spec => spec with { Executor = "tool:rare" })] })).Value.Id;
        _world.Submit("common");
        Assert.Equal(["common"], _world.Worker().Given);
        Assert.Equal(["rare"], _world.Worker(executors: "tool:rare").Given);
        Assert.Equal(1, _world.Goal(goal).Counts.Running);
    }

    [Fact]
    public void Work_spreads_over_workers()
    {
        var (first, second) = (_world.Worker(slots: 4), _world.Worker(slots: 4));
        _world.Submit("a", "b", "c", "d");
        Assert.Equal((2, 2), (first.Given.Count, second.Given.Count));
    }

    [Fact]
    public void A_worker_of_one_tenant_is_given_nothing_of_another()
    {
        var theirs = _world.Worker(tenant: Tenant(8));
        _world.Submit("a");
        Assert.Empty(theirs.Given);
        Assert.Equal(["a"], _world.Worker(tenant: _world.Tenant).Given);
    }

    private void Submit(int tenant, int count, string? agent = null) => Submit(tenant, count, _world, agent);

    private static void Submit(int tenant, int count, World world, string? agent = null)
    {
        var request = World.Request([.. Enumerable.Range(0, count).Select(number => $"t{number}")]) with { Agent = agent };
        Assert.True(world.Node.Ask(node => node.SubmitAsync(new Caller(Tenant(tenant), "ada"), request)).IsOk);
    }

    private List<int> Serve(TestWorker worker, int count) => Serve(worker, count, 1, _world);

    /// <summary>Works on what the only slot holds, and so on.</summary>
    /// <returns>Whose tasks they were.</returns>
    private static List<int> Serve(TestWorker worker, int count, double seconds, World world)
    {
        var tenants = new List<int>();
        for (var i = 0; i < count; i++)
        {
            var assignment = worker[Assert.Single(worker.Holds)];
            tenants.Add(assignment.Tenant.Value.ToByteArray()[0]);
            world.Advance(seconds);
            Assert.True(worker.Complete(assignment).IsOk);
        }
        return tenants;
    }

    private static TenantId Tenant(int number) => new(new Guid(number, 0, 0, new byte[8]));
}
