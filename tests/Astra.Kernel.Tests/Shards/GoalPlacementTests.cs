using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Shards;

public sealed class GoalPlacementTests
{
    private readonly World _world = World.With(shards: 256);

    [Fact]
    public void Goals_that_may_live_anywhere_share_a_few_shards()
    {
        Assert.InRange(ShardsOf(goals: 500).Count, 32, 64);
    }

    [Fact]
    public void Every_shard_has_its_turn_within_minutes()
    {
        var shards = ShardsOf(goals: 500);
        for (var turn = 1; turn < 4; turn++)
        {
            _world.Advance(seconds: 5);
            var next = ShardsOf(goals: 500);
            Assert.Empty(next.Intersect(shards));
            shards.UnionWith(next);
        }
        _world.Advance(seconds: 5);
        Assert.NotEmpty(ShardsOf(goals: 500).Intersect(shards));
    }

    [Fact]
    public void A_node_places_goals_in_shards_of_its_own_only()
    {
        var world = World.With(nodes: 2, shards: 256);
        foreach (var node in world.Nodes)
            for (var i = 0; i < 100; i++)
                Assert.True(node.Ask(kernel => kernel.SubmitAsync(world.Caller, World.Request("a"))).IsOk);
    }

    private HashSet<ShardId> ShardsOf(int goals) => [.. Enumerable.Range(0, goals).Select(_ => _world.Submit("a").Shard)];
}
