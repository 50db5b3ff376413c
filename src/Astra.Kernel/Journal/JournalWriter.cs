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

/// <summary>The commits of all shards of the node: each is one transaction with what has come since the last one.</summary>
internal sealed class JournalWriter(IJournal journal, KernelLimits limits, IClock clock, KernelMetrics metrics, CommitFeed commits)
    : GroupCommit<JournalAppend>(limits.EntriesPerCommitMax)
{
    protected override int WeightOf(JournalAppend append) => append.Append.Entries.Count;

    protected override async ValueTask CommitAsync(List<JournalAppend> batch)
    {
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
        Ended(batch);
        var ended = clock.Elapsed;
        var duration = ended - began;
        metrics.Committed(batch, duration, ended);
        commits.Publish(beganAt, duration, batch);
        Tell(batch);
    }

    /// <summary>Their shards are rebuilt from what the database has.</summary>
    protected override void Lose(List<JournalAppend> batch, ActorTurn turn)
    {
        foreach (var append in batch)
            append.EndUnknown("the journal writer was restarted during the commit");
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
