namespace Astra.Kernel.Shards;

/// <summary>Which shard a goal goes to that may live anywhere: one of a few of this node, and some seconds later one of the next few.</summary>
/// <remarks>
/// A commit locks every shard that it has entries of, and each has its own end of the log's index and its own watermark: a hundred
/// goals in a few shards cost less than in a hundred. They move on because a goal's history is read from the stretch of its
/// shard's log between its first entry and its last, whoever else wrote there, and because shards should weigh the same when
/// some are handed over: on a node that has them all, each has its turn within six minutes. Those that share a turn are far
/// apart, because shards are loaded, and given away, some neighbours at a time.
/// </remarks>
internal sealed class GoalPlacement(IClock clock, IRandomness randomness, ShardMap map)
{
    private const int ShardsAtOnce = 64;
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(5);

    /// <remarks>A node without shards, such as one that has drained, says who has one.</remarks>
    public ShardId Choose()
    {
        var local = map.LocalShards;
        if (local.Count == 0)
            return map.AnyOwned(randomness.NextInt32(ShardId.Count)) ?? new ShardId(0);
        var distance = Math.Max(1, local.Count / ShardsAtOnce);
        var turn = clock.Elapsed.Ticks / Turn.Ticks;
        return local[(int)(((randomness.NextInt32(ShardsAtOnce) * distance) + turn) % local.Count)];
    }
}
