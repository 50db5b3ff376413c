using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

public sealed class HandoverTests
{
    [Fact]
    public void Two_nodes_share_the_shards_and_each_knows_where_the_others_are()
    {
        var world = World.With(nodes: 2);
        Assert.Equal((2, 2), (world.Nodes[0].ShardsOwned, world.Nodes[1].ShardsOwned));
        var goal = world.Submit("a");
        var refusal = world.Nodes[1].Refused(node => node.GetGoalAsync(world.Tenant, goal));
        Assert.Equal((RefusalKind.Elsewhere, "http://node-1"), (refusal.Kind, refusal.Address));
    }

    [Fact]
    public void A_goal_goes_on_where_its_shard_has_gone()
    {
        var world = World.With(nodes: 2);
        var goals = Enumerable.Range(0, 4).Select(_ => world.Submit("a", "b after a")).ToList();
        world.Node.StopCleanly();
        world.Advance(seconds: 5);
        Assert.Equal(4, world.Nodes[1].ShardsOwned);
        world.Nodes[1].Worker().CompleteAll();
        Assert.All(goals, goal => Assert.Equal(GoalState.Completed, world.Nodes[1].Ask(node => node.GetGoalAsync(world.Tenant, goal)).Value.State));
    }

    [Fact]
    public void The_shards_of_a_dead_node_are_taken_over_when_its_lease_ends()
    {
        var world = World.With(nodes: 2);
        var goal = world.Submit("a");
        world.Node.Crash();
        world.Advance(seconds: 1);
        Assert.Equal(2, world.Nodes[1].ShardsOwned);
        world.Advance(seconds: World.ShardLease.TotalSeconds + 3);
        Assert.Equal(4, world.Nodes[1].ShardsOwned);
        Assert.Equal(GoalState.Active, world.Nodes[1].Ask(node => node.GetGoalAsync(world.Tenant, goal)).Value.State);
    }

    [Fact]
    public void A_node_that_comes_back_under_its_name_has_its_shards_at_once()
    {
        var world = World.With(nodes: 2);
        var goal = world.Submit("a");
        world.Node.Restart();
        Assert.Equal(2, world.Node.ShardsOwned);
        world.AssertStates(goal, "a Ready");
    }

    [Fact]
    public void What_was_promised_before_a_handover_is_kept_by_the_next_owner()
    {
        var world = World.With();
        var goals = Enumerable.Range(0, 20).Select(_ => world.Submit("a")).ToList();
        var second = new TestNode(world, "node-2");
        second.Start();
        world.Advance(seconds: 10);
        Assert.Equal((2, 2), (world.Node.ShardsOwned, second.ShardsOwned));
        Assert.All(goals, goal =>
        {
            var answer = world.Node.Ask(node => node.GetGoalAsync(world.Tenant, goal));
            Assert.True(answer.IsOk || answer.Refusal!.Address == "http://node-2");
            Assert.True(answer.IsOk || second.Ask(node => node.GetGoalAsync(world.Tenant, goal)).IsOk);
        });
    }

    [Fact]
    public void A_node_that_is_loading_its_shards_says_so_and_does_not_point_at_itself()
    {
        var world = World.With();
        var goal = world.Submit("a");
        world.Node.Crash();
        world.Node.StartWithSlowRows();
        Assert.Equal(RefusalKind.Unavailable, world.Node.Refused(node => node.GetGoalAsync(world.Tenant, goal)).Kind);
        world.Node.Rows.Release();
        world.RunUntilQuiet();
        Assert.Equal(GoalState.Active, world.Goal(goal).State);
    }

    [Fact]
    public void A_node_that_hands_over_is_done_when_the_others_have_its_shards_and_all_know_it()
    {
        var world = World.With(nodes: 3);
        var goals = Enumerable.Range(0, 20).Select(_ => world.Submit("a")).ToList();
        var before = world.Now;
        HandOver(world.Node);
        Assert.Equal((0, before), (world.Node.ShardsOwned, world.Now));
        Assert.Equal(4, world.Nodes[1].ShardsOwned + world.Nodes[2].ShardsOwned);
        foreach (var goal in goals)
        {
            var answers = world.Nodes.Select(node => node.Ask(kernel => kernel.GetGoalAsync(world.Tenant, goal))).ToList();
            Assert.Single(answers, answer => answer.IsOk);
            Assert.DoesNotContain(answers, answer => answer.Refusal?.Address == "http://node-1");
        }
    }

    [Fact]
    public void A_node_that_nobody_can_replace_hands_nothing_over_and_goes_on()
    {
        var world = World.With(nodes: 2);
        HandOver(world.Node);
        HandOver(world.Nodes[1]);
        Assert.Equal(4, world.Nodes[1].ShardsOwned);
        Assert.True(world.Nodes[1].Ask(node => node.SubmitAsync(world.Caller, World.Request("a"))).IsOk);
    }

    [Fact]
    public void A_node_that_hands_over_and_reaches_nobody_gives_its_shards_back_all_the_same()
    {
        var world = World.With(nodes: 2);
        world.Bus.IsDown = true;
        HandOver(world.Node);
        Assert.Equal(0, world.Node.ShardsOwned);
        world.Advance(seconds: 5);
        Assert.Equal(4, world.Nodes[1].ShardsOwned);
    }

    [Fact]
    public void A_node_that_stops_takes_nothing_more()
    {
        var world = World.With();
        world.Node.StopCleanly();
        Assert.Equal(RefusalKind.Unavailable, world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("a"))).Kind);
    }

    private static void HandOver(TestNode node) => node.Do(async kernel =>
    {
        await kernel.HandOverAsync(TimeSpan.FromSeconds(10));
        return true;
    });
}
