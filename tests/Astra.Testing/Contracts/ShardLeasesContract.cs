using Astra.Kernel;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>What every store of shard ownership guarantees.</summary>
public abstract class ShardLeasesContract : StoreContract
{
    [Fact]
    public async Task The_first_node_owns_every_shard()
    {
        var a = Node("a");
        var renewal = await RenewAsync(a);

        Assert.Equal(ShardId.All, renewal.Owned.Keys.Order());
        Assert.All(renewal.Owned.Values, epoch => Assert.Equal(new Epoch(1), epoch));
        Assert.Empty(renewal.Surplus);
        Assert.Equal(ShardId.Count, renewal.Owners.Count);
        Assert.All(renewal.Owners, owner => Assert.Equal(a, owner));
        Assert.Equal([new NodeStanding(a, ShardId.Count, IsAlive: true)], renewal.Nodes);
        Assert.True(renewal.Duration > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_node_that_renews_in_time_keeps_its_shards_and_their_epochs()
    {
        var a = Node("a");
        var first = await RenewAsync(a);
        var second = await RenewAsync(a);

        Assert.Equal(first.Owned.OrderBy(pair => pair.Key), second.Owned.OrderBy(pair => pair.Key));
    }

    [Fact]
    public async Task A_second_node_gets_its_share_once_the_first_has_released_its_surplus()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        Assert.Empty((await RenewAsync(b)).Owned);

        var asked = await RenewAsync(a);
        Assert.Equal(ShardId.Count / 2, asked.Surplus.Count);
        Assert.Equal(ShardId.Count, asked.Owned.Count);

        var released = await RenewAsync(a, [.. asked.Surplus]);
        Assert.Equal(ShardId.Count / 2, released.Owned.Count);
        Assert.Empty(released.Surplus);
        Assert.All(asked.Surplus, shard => Assert.Null(released.Owners[shard.Value]));

        var taken = await RenewAsync(b);
        Assert.Equal(asked.Surplus.Order(), taken.Owned.Keys.Order());
        Assert.All(taken.Owned.Values, epoch => Assert.Equal(new Epoch(2), epoch));
    }

    [Fact]
    public async Task Three_nodes_settle_on_shares_that_cover_every_shard_once()
    {
        var nodes = new[] { Node("a"), Node("b"), Node("c") };
        var surplus = nodes.ToDictionary(node => node, _ => Array.Empty<ShardId>());
        for (var round = 0; round < 4; round++)
        {
            foreach (var node in nodes)
                surplus[node] = [.. (await RenewAsync(node, surplus[node])).Surplus];
        }

        var owned = new List<ShardId>();
        foreach (var node in nodes)
        {
            var renewal = await RenewAsync(node);
            Assert.InRange(renewal.Owned.Count, 1364, 1366);
            owned.AddRange(renewal.Owned.Keys);
        }
        Assert.Equal(ShardId.All, owned.Order());
    }

    [Fact]
    public async Task A_node_that_does_not_renew_in_time_loses_everything_under_higher_epochs()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await Store.ExpireAsync(a.Node);

        var renewal = await RenewAsync(b);

        Assert.Equal(ShardId.Count, renewal.Owned.Count);
        Assert.All(renewal.Owned.Values, epoch => Assert.Equal(new Epoch(2), epoch));
        Assert.Equal(
            [new NodeStanding(a, 0, IsAlive: false), new NodeStanding(b, ShardId.Count, IsAlive: true)], renewal.Nodes);
    }

    [Fact]
    public async Task A_node_that_renews_too_late_starts_again_under_higher_epochs()
    {
        var a = Node("a");
        await RenewAsync(a);
        await Store.ExpireAsync(a.Node);

        Assert.All((await RenewAsync(a)).Owned.Values, epoch => Assert.Equal(new Epoch(2), epoch));
    }

    [Fact]
    public async Task A_node_that_comes_back_gets_its_own_shards_at_once_under_new_epochs()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await RenewAsync(b);
        var before = await RenewAsync(a, [.. (await RenewAsync(a)).Surplus]);
        await RenewAsync(b);

        var back = await RenewAsync(a with { Incarnation = Guid.NewGuid() });

        Assert.Equal(before.Owned.Keys.Order(), back.Owned.Keys.Order());
        Assert.All(back.Owned, pair => Assert.True(pair.Value > before.Owned[pair.Key]));
    }

    [Fact]
    public async Task A_node_that_comes_back_takes_no_more_than_its_share()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await RenewAsync(b);

        var back = await RenewAsync(a with { Incarnation = Guid.NewGuid() });

        Assert.Equal(ShardId.Count / 2, back.Owned.Count);
        Assert.Empty(back.Surplus);
        Assert.Equal(ShardId.Count / 2, (await RenewAsync(b)).Owned.Count);
    }

    [Fact]
    public async Task A_released_shard_that_is_taken_again_has_a_higher_epoch()
    {
        var a = Node("a");
        await RenewAsync(a);
        var renewal = await RenewAsync(a, new ShardId(7));

        Assert.Equal(new Epoch(2), renewal.Owned[new ShardId(7)]);
        Assert.Equal(new Epoch(1), renewal.Owned[new ShardId(8)]);
    }

    [Fact]
    public async Task Nobody_releases_what_is_not_theirs()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await RenewAsync(b, new ShardId(7));

        Assert.Equal(new Epoch(1), (await RenewAsync(a)).Owned[new ShardId(7)]);
    }

    [Fact]
    public async Task Leaving_gives_everything_back_at_once()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await Store.Leases.LeaveAsync(a, None);

        var renewal = await RenewAsync(b);

        Assert.Equal(ShardId.Count, renewal.Owned.Count);
        Assert.Equal([b], renewal.Nodes.Select(node => node.Node));
    }

    [Fact]
    public async Task A_process_that_was_replaced_gives_nothing_back()
    {
        var old = Node("a");
        await RenewAsync(old);
        var replacement = old with { Incarnation = Guid.NewGuid() };
        var before = await RenewAsync(replacement);

        await Store.Leases.LeaveAsync(old, None);

        Assert.Equal(before.Owned.OrderBy(pair => pair.Key), (await RenewAsync(replacement)).Owned.OrderBy(pair => pair.Key));
    }

    [Fact]
    public async Task When_one_of_two_dies_the_other_keeps_its_own_epochs_and_takes_the_rest()
    {
        var (a, b) = (Node("a"), Node("b"));
        await RenewAsync(a);
        await RenewAsync(b);
        var kept = await RenewAsync(a, [.. (await RenewAsync(a)).Surplus]);
        var lost = await RenewAsync(b);
        await Store.ExpireAsync(b.Node);

        var alone = await RenewAsync(a);

        Assert.All(kept.Owned, pair => Assert.Equal(pair.Value, alone.Owned[pair.Key]));
        Assert.All(lost.Owned, pair => Assert.True(alone.Owned[pair.Key] > pair.Value));
        Assert.All(alone.Owners, owner => Assert.Equal(a, owner));
    }
}
