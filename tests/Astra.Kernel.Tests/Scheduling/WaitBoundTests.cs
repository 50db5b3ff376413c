using Astra.Kernel.Controls;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tests.Simulation;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Scheduling;

/// <summary>What a quiet tenant waits next to noisy ones, in simulated time.</summary>
public sealed class WaitBoundTests
{
    [Fact]
    public void Ninety_nine_tenants_with_one_task_each_wait_little_next_to_one_with_a_hundred_thousand()
    {
        const int Slots = 4;
        var world = new ServedWorld(Slots, _ => TimeSpan.FromMilliseconds(10));
        for (var i = 0; i < 10; i++)
            world.Submit(tenant: 0, count: 10_000);
        world.Run(TimeSpan.FromSeconds(1));
        var bound = WaitBound.Of(Slots, 100, TimeSpan.FromMilliseconds(10));
        for (var tenant = 1; tenant < 100; tenant++)
            world.Submit(tenant, count: 1);
        world.RunUntilServed(99);
        Assert.InRange(world.WorstWait, TimeSpan.Zero, TimeSpan.FromMilliseconds(390));
        Assert.InRange(world.WorstWait, TimeSpan.Zero, bound);
    }

    [Fact]
    public void A_single_long_task_of_the_past_makes_nobody_wait_longer()
    {
        var count = 0;
        var world = new ServedWorld(slots: 4, tenant => tenant == 0 && count++ == 0 ? TimeSpan.FromSeconds(2) : TimeSpan.FromMilliseconds(10));
        world.Submit(tenant: 0, count: 10_000);
        world.Run(TimeSpan.FromSeconds(4));
        for (var round = 0; round < 3; round++)
        {
            for (var tenant = 1; tenant < 100; tenant++)
                world.Submit(tenant, count: 1);
            world.RunUntilServed(99 * (round + 1));
            Assert.InRange(world.WorstWait, TimeSpan.Zero, TimeSpan.FromMilliseconds(286));
        }
    }

    [Fact]
    public void No_quiet_tenant_ever_waits_longer_than_the_bound_that_was_computed() => Prop.ForAll<int, int[]>((seed, draws) =>
    {
        var dice = new Astra.Testing.Time.SeededRandomness((ulong)(uint)seed);
        var slots = 1 + dice.NextInt32(5);
        var noisy = 1 + dice.NextInt32(6);
        var longest = TimeSpan.FromMilliseconds(20);
        var world = new ServedWorld(slots, tenant => tenant == 0 ? longest : TimeSpan.FromMilliseconds(1 + dice.NextInt32(20)));
        for (var tenant = 0; tenant < noisy; tenant++)
        {
            if (dice.NextInt32(2) == 0)
                world.World.Change(new ControlChange.SetWeight(new Weight("", 1 + dice.NextInt32(1000))), ServedWorld.Tenant(tenant));
            world.Submit(tenant, count: 100 + dice.NextInt32(200));
        }
        // Until the longest of them has been seen once.
        world.Run(TimeSpan.FromMilliseconds(200));
        var quiet = 1 + draws.Length % 5;
        for (var i = 0; i < quiet; i++)
        {
            world.Submit(100 + i, count: 1);
            world.Run(TimeSpan.FromMilliseconds(dice.NextInt32(30)));
        }
        var bound = WaitBound.Of(slots, noisy + quiet, longest);
        world.RunUntilServed(quiet);
        Assert.True(world.WorstWait <= bound, $"{world.WorstWait} > {bound} with {slots} slots, {noisy} noisy, {quiet} quiet");
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Twice_the_weight_is_twice_the_slot_time()
    {
        var world = new ServedWorld(2, _ => TimeSpan.FromMilliseconds(10));
        world.World.Change(new ControlChange.SetWeight(new Weight("", 200)), ServedWorld.Tenant(1));
        for (var tenant = 0; tenant < 3; tenant++)
            world.Submit(tenant, count: 1_000);
        world.Run(TimeSpan.FromSeconds(4));
        var (light, heavy) = (world.ServedOf(0), world.ServedOf(1));
        Assert.InRange(heavy / (double)light, 1.9, 2.1);
        Assert.InRange(light / (double)world.ServedOf(2), 0.95, 1.05);
    }

    [Fact]
    public void Agents_of_a_tenant_share_by_weight_too()
    {
        var world = new ServedWorld(1, _ => TimeSpan.FromMilliseconds(10));
        world.World.Change(new ControlChange.SetWeight(new Weight("writer", 300)), ServedWorld.Tenant(0));
        world.Submit(0, count: 400, agent: "writer");
        world.Submit(0, count: 400, agent: "reader");
        world.Run(TimeSpan.FromSeconds(2));
        Assert.InRange(world.ServedOf("writer") / (double)world.ServedOf("reader"), 2.8, 3.2);
    }

    [Fact]
    public void Whoever_was_kept_from_running_does_not_take_everything_afterwards()
    {
        var world = new ServedWorld(1, _ => TimeSpan.FromMilliseconds(10));
        world.World.Change(new ControlChange.SetLimit(new Limit(LimitScope.Tenant, "", 0, null, null)), ServedWorld.Tenant(1));
        world.Submit(0, count: 1_000);
        world.Submit(1, count: 1_000);
        world.Run(TimeSpan.FromSeconds(4));
        Assert.Equal(0, world.ServedOf(1));
        world.World.Change(new ControlChange.RemoveLimit(LimitScope.Tenant, ""), ServedWorld.Tenant(1));
        var before = world.ServedOf(0);
        world.Run(TimeSpan.FromSeconds(1));
        Assert.InRange(world.ServedOf(1) / (double)(world.ServedOf(0) - before), 0.9, 1.15);
    }

    [Fact]
    public void A_low_priority_is_overtaken_only_by_what_comes_within_its_head_start()
    {
        var world = World.With();
        var worker = world.Worker(slots: 1);
        world.Submit("busy");
        world.Submit("low", spec => spec with { Priority = -100 });
        for (var second = 0; second < 210; second++)
        {
            world.Submit($"high-{second}", spec => spec with { Priority = 100 });
            world.Advance(seconds: 1);
            worker.Complete(worker.Holds[0]);
        }
        Assert.Contains("low", worker.Given);
    }

    [Fact]
    public void The_bound_is_there_to_be_read()
    {
        var world = World.With();
        world.Worker(slots: 1);
        world.Submit("a");
        world.Advance(seconds: 2);
        world.Submit("b");
        var summary = world.Node.Do(node => node.SummariseAsync());
        Assert.Equal((1, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4)), (summary.TenantsWaiting, summary.LongestTask, summary.WaitAtMost));
        Assert.Equal(TimeSpan.FromSeconds(0.08), WaitBound.Of(slots: 4, tenantsWaiting: 13, TimeSpan.FromMilliseconds(10)));
    }
}
