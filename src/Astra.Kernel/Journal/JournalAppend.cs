using Astra.Kernel.Actors;

namespace Astra.Kernel.Journal;

/// <summary>One shard's entries on their way into the log, and what became of them.</summary>
/// <remarks>It stays open until the writer takes it into a commit: what the shard decides while the commit before is under way
/// goes into the next one, and not into the one after that.</remarks>
/// <param name="before">The shard's append before, if that has not ended yet.</param>
internal sealed class JournalAppend(ShardId shard, Epoch epoch, List<JournalEntry> entries, ActorRef self, JournalAppend? before)
{
    private readonly Lock _lock = new();
    private JournalAppend? _before = before;
    private bool _isClosed;
    private volatile string? _unavailable;
    private volatile int _outcome = -1;

    public ActorRef Shard => self;
    public bool IsEnded => _outcome >= 0 || _unavailable is not null;

    /// <summary>Null when nobody knows: the connection was lost between asking and the answer.</summary>
    public AppendOutcome? Outcome => _outcome >= 0 ? (AppendOutcome)_outcome : null;

    /// <summary>What is appended; of an append that is still open, what was so far.</summary>
    public ShardAppend Append { get; } = new(shard, epoch, entries);

    public int Count
    {
        get
        {
            lock (_lock)
                return entries.Count;
        }
    }

    /// <summary>Adds the entries that follow, unless the writer has taken those before.</summary>
    public bool TryAdd(List<JournalEntry> more)
    {
        lock (_lock)
        {
            if (_isClosed && !Mutants.AddedToTakenAppend)
                return false;
            entries.AddRange(more);
            return true;
        }
    }

    /// <summary>The writer takes it: these are its entries. It ends here if the one before did not get in, or nobody knows: the
    /// shard is rebuilt, and decides anew.</summary>
    public void Close()
    {
        lock (_lock)
            _isClosed = true;
        if (_before is { Outcome: not AppendOutcome.Committed })
            EndUnknown("those before them were lost");
        _before = null;
    }

    public void End(AppendOutcome outcome) => _outcome = (int)outcome;

    public void EndUnknown(string reason) => _unavailable = reason;

    public string Describe() => Outcome switch
    {
        AppendOutcome.Committed => "Its entries are durable.",
        AppendOutcome.Fenced => "The shard has a newer owner.",
        AppendOutcome.Refused => $"The log refused an entry of shard {shard} between {entries[0].Seq} and {entries[^1].Seq}.",
        _ => $"Nobody knows whether the last entries got in: {_unavailable}",
    };
}
