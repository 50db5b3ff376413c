using Astra.Kernel.Journal;

namespace Astra.Kernel;

/// <summary>
/// The log, and the log is the truth. Append-only; one append per commit carries entries of many shards; an entry gets
/// in only under the epoch that its shard has at the moment of the commit.
/// </summary>
public interface IJournal
{
    /// <summary>
    /// Commits the entries of all shards in one transaction and says for each shard, in order, what became of it. A
    /// shard whose epoch is no longer the current one is left out and the others proceed. When it returns Committed
    /// the entries are durable.
    /// </summary>
    /// <exception cref="JournalUnavailableException">Nobody knows whether the entries got in; whoever asked has to look.</exception>
    ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken);

    /// <summary>What shards did after their snapshots, in order: the tails that a rebuild adds. One list per shard, in
    /// the order asked; set-based, because a start asks for 4,096 of them.</summary>
    ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken);

    /// <summary>The history of one goal after <paramref name="afterSeq"/>, in order, at most <paramref name="countMax"/> entries.</summary>
    ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken);
}

public readonly record struct ShardPosition(ShardId Shard, long Seq);

/// <param name="Entries">Consecutive: the first follows the last entry of the shard that was ever committed.</param>
public sealed record ShardAppend(ShardId Shard, Epoch Epoch, IReadOnlyList<JournalEntry> Entries);

public enum AppendOutcome
{
    Committed,

    /// <summary>The shard has a newer owner. Nothing of this shard got in.</summary>
    Fenced,

    /// <summary>A constraint of the log refused an entry. Nothing of this shard got in.</summary>
    Refused,
}

public sealed class JournalUnavailableException(string reason, Exception? inner = null) : Exception(reason, inner);
