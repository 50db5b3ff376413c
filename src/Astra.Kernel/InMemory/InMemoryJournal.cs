using System.Runtime.InteropServices;
using Astra.Kernel.Journal;

namespace Astra.Kernel.InMemory;

/// <summary>The log in memory. It keeps entries in their encoded form, so that a reader decodes what a writer encoded.</summary>
public sealed class InMemoryJournal : IJournal
{
    private readonly Lock _transaction;
    private readonly InMemoryShardLeases _leases;

    /// <summary>Position i of a shard holds the entry with seq i + 1: the log has no gaps.</summary>
    private readonly List<JournalEntry>?[] _shards = new List<JournalEntry>?[ShardId.Count];

    private readonly Dictionary<(TenantId, GoalId), List<JournalEntry>> _goals = [];

    internal InMemoryJournal(Lock transaction, InMemoryShardLeases leases)
    {
        _transaction = transaction;
        _leases = leases;
    }

    public ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<AppendOutcome>>(appends.Select(Append).ToArray());
    }

    public ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<IReadOnlyList<JournalEntry>>>(
                after.Select(position => After(_shards[position.Shard.Value], position.Seq).ToArray()).ToArray());
    }

    public ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(
        TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<JournalEntry>>(After(_goals.GetValueOrDefault((tenant, goal)), afterSeq).Take(countMax).ToArray());
    }

    private AppendOutcome Append(ShardAppend append)
    {
        if (!_leases.IsCurrent(append.Shard, append.Epoch) && !Mutants.NoFencing)
            return AppendOutcome.Fenced;

        var log = _shards[append.Shard.Value] ??= [];
        for (var i = 0; i < append.Entries.Count; i++)
        {
            var entry = append.Entries[i];
            if (entry.Shard != append.Shard || entry.Seq != log.Count + i + 1 || !StoreRules.Allows(entry))
                return AppendOutcome.Refused;
        }

        foreach (var entry in append.Entries)
        {
            // Copied: the writer may use its buffer again, and what was committed never changes.
            var stored = entry with { At = StoreRules.Stored(entry.At), Data = entry.Data.ToArray() };
            log.Add(stored);
            (CollectionsMarshal.GetValueRefOrAddDefault(_goals, (entry.Tenant, entry.Goal), out _) ??= []).Add(stored);
        }
        return AppendOutcome.Committed;
    }

    private static IEnumerable<JournalEntry> After(List<JournalEntry>? entries, long afterSeq)
    {
        if (entries is null)
            return [];

        // Ascending by seq: skip to the first that is newer.
        var (low, high) = (0, entries.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle].Seq > afterSeq)
                high = middle;
            else
                low = middle + 1;
        }
        return entries.Skip(low);
    }
}
