namespace Astra.Kernel.Journal;

/// <summary>What has just become durable, in one transaction.</summary>
/// <param name="BeganAt">When the transaction began, on the calendar.</param>
/// <param name="Appends">Those that got in, in the order of the transaction.</param>
public sealed record Commit(DateTimeOffset BeganAt, TimeSpan Duration, IReadOnlyList<ShardAppend> Appends);

/// <summary>Tells one listener of every commit of the node, in order. It must be quick and must not throw; while nobody
/// listens nothing is made for it.</summary>
internal sealed class CommitFeed
{
    public Action<Commit>? Subscriber { get; set; }

    public void Publish(DateTimeOffset beganAt, TimeSpan duration, IReadOnlyList<JournalAppend> batch) =>
        Subscriber?.Invoke(new Commit(beganAt, duration, [.. batch.Where(append => append.Outcome == AppendOutcome.Committed).Select(append => append.Append)]));
}
