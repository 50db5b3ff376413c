using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

/// <summary>A node that cannot go on says so once and serves no longer; another takes its shards.</summary>
public sealed class UnfitNodeTests
{
    [Fact]
    public void A_node_with_a_part_that_nobody_can_mend_says_so_once_and_refuses_whatever_is_asked()
    {
        var world = Broken(World.With());
        var failed = Assert.Single(world.Node.Notices.OfType<KernelNotice.NodeFailed>());
        Assert.Equal("/projector", failed.Actor);
        Assert.Contains("/projector failed again after 5 restarts", failed.Reason, StringComparison.Ordinal);
        var refusal = world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("late")));
        Assert.Equal(RefusalKind.Unavailable, refusal.Kind);
    }

    [Fact]
    public void What_an_unfit_node_had_promised_is_there_on_the_node_that_is_started_in_its_place()
    {
        var world = World.With();
        var goal = world.Submit("promised");
        Broken(world);
        world.Node.StopCleanly();
        world.Node.Start();
        world.AssertStates(goal, "promised Ready");
    }

    [Fact]
    public void A_part_that_fails_and_recovers_is_no_reason_to_give_the_node_up()
    {
        var world = World.With();
        world.Node.Rows.BreaksItsContract = true;
        world.Submit("a");
        world.Advance(seconds: 1);
        world.Node.Rows.BreaksItsContract = false;
        world.Submit("b");
        world.Advance(seconds: 120);
        Assert.Empty(world.Node.Notices.OfType<KernelNotice.NodeFailed>());
    }

    private static World Broken(World world)
    {
        world.Node.Rows.BreaksItsContract = true;
        for (var i = 0; i < 10 && world.Node.Notices.OfType<KernelNotice.NodeFailed>().FirstOrDefault() is null; i++)
        {
            world.Submit($"a{i}");
            world.Advance(seconds: 4);
        }
        return world;
    }
}
