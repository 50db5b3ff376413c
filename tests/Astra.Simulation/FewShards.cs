using Astra.Kernel;

namespace Astra.Simulation;

/// <summary>
/// Ownership of a few of the 4,096 shards, spread evenly over them. The others are passed from node to node so that the
/// fair shares come out right, but nobody starts them: a small world has nothing to put there, and an actor for each would
/// be most of its cost.
/// </summary>
public sealed class FewShards(IShardLeases leases, int shardCount) : IShardLeases
{
    private readonly HashSet<ShardId> _idleSurplus = [];

    public static IReadOnlyList<ShardId> Of(int shardCount) =>
        [.. Enumerable.Range(0, shardCount).Select(number => new ShardId(number * (ShardId.Count / shardCount)))];

    public static bool Contains(int shardCount, ShardId shard) => shard.Value % (ShardId.Count / shardCount) == 0;

    public async ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
    {
        var renewal = await leases.RenewAsync(self, [.. release, .. _idleSurplus], cancellationToken);
        _idleSurplus.Clear();
        _idleSurplus.UnionWith(renewal.Surplus.Where(shard => !Contains(shardCount, shard)));
        return renewal with
        {
            Owned = renewal.Owned.Where(owned => Contains(shardCount, owned.Key)).ToDictionary(),
            Surplus = [.. renewal.Surplus.Where(shard => Contains(shardCount, shard))],
        };
    }

    public ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken) => leases.LeaveAsync(self, cancellationToken);
}
