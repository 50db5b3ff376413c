using Astra.Kernel.Actors;
using Astra.Kernel.Metrics;

namespace Astra.Kernel.Journal;

/// <summary>The commits of all shards of the node: each is one transaction with what has come since the last one.</summary>
internal sealed class JournalWriter(IJournal journal, KernelLimits limits, IClock clock, KernelMetrics metrics, CommitFeed commits)
    : GroupCommit<JournalAppend>(limits.EntriesPerCommitMax)
{
    protected override int WeightOf(JournalAppend append) => append.Count;

    protected override void Close(JournalAppend append) => append.Close();

    protected override async ValueTask CommitAsync(List<JournalAppend> batch)
    {
        var (began, beganAt) = (clock.Elapsed, commits.Subscriber is null ? default : clock.UtcNow);
        var sent = batch.FindAll(append => !append.IsEnded);
        try
        {
            var outcomes = await journal.AppendAsync([.. sent.Select(append => append.Append)], CancellationToken.None);
            for (var i = 0; i < sent.Count; i++)
                sent[i].End(outcomes[i]);
        }
        catch (Exception e)
        {
            foreach (var append in sent)
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
