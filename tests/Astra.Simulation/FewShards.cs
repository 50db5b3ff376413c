using System.Collections.Concurrent;
using Astra.Kernel;

namespace Astra.Simulation;

/// <summary>
/// A few of the 4,096 shards, spread evenly over them: all that the nodes of a small world can own. It has nothing to put
/// into the others, and an actor for each would be most of its cost.
/// </summary>
public static class FewShards
{
    private static readonly ConcurrentDictionary<(int ShardCount, TenantId Tenant, int Number), string> Keys = [];

    public static IReadOnlyList<ShardId> Of(int shardCount) =>
        [.. Enumerable.Range(0, shardCount).Select(number => new ShardId(number * (ShardId.Count / shardCount)))];

    public static bool Contains(int shardCount, ShardId shard) => shard.Value % (ShardId.Count / shardCount) == 0;

    /// <summary>A key decides its shard, and most would lead to one that is not there. The same in every world, so each is
    /// looked for once.</summary>
    public static string KeyOf(int shardCount, TenantId tenant, int number) => Keys.GetOrAdd((shardCount, tenant, number), static wanted =>
    {
        for (var tries = 0; ; tries++)
        {
            var key = $"key-{wanted.Number}-{tries}";
            if (Contains(wanted.ShardCount, ShardId.OfName(wanted.Tenant, key)))
                return key;
        }
    });
}
