using System.Collections.Concurrent;
using Astra.Kernel.Actors;
using Astra.Kernel.Metrics;

namespace Astra.Kernel.Journal;

/// <summary>One shard's entries on their way into the log, and what became of them.</summary>
internal sealed class JournalAppend(ShardAppend append, ActorRef shard)
{
    private volatile string? _unavailable;
    private volatile int _outcome = -1;

    public ShardAppend Append => append;
    public ActorRef Shard => shard;
    public bool IsEnded => _outcome >= 0 || _unavailable is not null;

    /// <summary>Null when nobody knows: the connection was lost between asking and the answer.</summary>
    public AppendOutcome? Outcome => _outcome >= 0 ? (AppendOutcome)_outcome : null;

    public void End(AppendOutcome outcome) => _outcome = (int)outcome;

    public void EndUnknown(string reason) => _unavailable = reason;

    public string Describe() => Outcome switch
    {
        AppendOutcome.Committed => "Its entries are durable.",
        AppendOutcome.Fenced => "The shard has a newer owner.",
        AppendOutcome.Refused => $"The log refused an entry of shard {append.Shard} between {append.Entries[0].Seq} and {append.Entries[^1].Seq}.",
        _ => $"Nobody knows whether the last entries got in: {_unavailable}",
    };
}

/// <summary>
/// Group commit: all shards of the node in one transaction. No timer: drain, commit, tell, repeat; alone, an entry waits
/// for nobody, and under load the batches grow by themselves.
/// </summary>
internal sealed class JournalWriter(IJournal journal, KernelLimits limits, IClock clock, KernelMetrics metrics, CommitFeed commits) : Actor
{
    private static readonly object Wake = new();

    private readonly ConcurrentQueue<JournalAppend> _queue = [];
    private ActorRef? _self;
    private List<JournalAppend>? _underWay;
    private int _isAwake;

    public void Attach(ActorRef self) => _self = self;

    public void Enqueue(JournalAppend append)
    {
        _queue.Enqueue(append);
        if (Interlocked.Exchange(ref _isAwake, 1) == 0)
            _self!.TrySend(Wake);
    }

    /// <summary>Nobody hears any more how a commit of the incarnation before ends, so its shards are told that nobody knows:
    /// they are rebuilt from what the database has.</summary>
    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation == 1)
            return default;
        if (Interlocked.Exchange(ref _underWay, null) is { } lost)
        {
            foreach (var append in lost)
                append.EndUnknown("the journal writer was restarted during the commit");
            Tell(lost);
        }
        Volatile.Write(ref _isAwake, 1);
        turn.Self.TrySend(Wake);
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        do
        {
            while (Drain() is { Count: > 0 } batch)
            {
                await CommitAsync(batch);
                // What waits is the successor's.
                if (turn.IsRevoked)
                    return;
            }
            Volatile.Write(ref _isAwake, 0);
            // Whoever enqueued after the last drain and before the line above saw us awake and sent nothing.
        }
        while (!_queue.IsEmpty && Interlocked.Exchange(ref _isAwake, 1) == 0);
    }

    private List<JournalAppend> Drain()
    {
        var batch = new List<JournalAppend>();
        var entryCount = 0;
        while (entryCount < limits.EntriesPerCommitMax && _queue.TryDequeue(out var append))
        {
            batch.Add(append);
            entryCount += append.Append.Entries.Count;
        }
        return batch;
    }

    private async ValueTask CommitAsync(List<JournalAppend> batch)
    {
        _underWay = batch;
        var (began, beganAt) = (clock.Elapsed, commits.Subscriber is null ? default : clock.UtcNow);
        try
        {
            var outcomes = await journal.AppendAsync([.. batch.Select(append => append.Append)], CancellationToken.None);
            for (var i = 0; i < batch.Count; i++)
                batch[i].End(outcomes[i]);
        }
        catch (Exception e)
        {
            foreach (var append in batch)
                append.EndUnknown(e.Message);
        }
        Interlocked.CompareExchange(ref _underWay, null, batch);
        var ended = clock.Elapsed;
        var duration = ended - began;
        metrics.Committed(batch, duration, ended);
        commits.Publish(beganAt, duration, batch);
        Tell(batch);
    }

    private static void Tell(List<JournalAppend> batch)
    {
        // The message only wakes the shard; the outcome stands in the append. A shard whose mailbox is full misses the
        // message and needs none: it looks at the append with every other message it takes.
        foreach (var append in batch)
            append.Shard.TrySend(Shards.AppendEnded.Instance);
    }
}
