namespace Astra.Chaos.Audit;

/// <summary>Who appended to a shard's log, and under which epoch, as the database saw it in that very transaction.</summary>
internal readonly record struct Append(int Shard, long Epoch, string Writer, long First, long Last);

/// <summary>
/// The fence, seen from the database: a shard has one writer in each epoch, and what comes later in its log was written
/// under the same epoch or a later one. A process that was paused past its lease and whose write gets in breaks this.
/// </summary>
internal sealed class WriterTrail(Findings findings)
{
    private readonly Dictionary<int, Append> _latest = [];

    public long AppendCount { get; private set; }

    /// <summary>How often another process went on where one had been.</summary>
    public long TakeoverCount { get; private set; }

    /// <summary>In the order of the log of each shard.</summary>
    public void Add(Append append)
    {
        AppendCount++;
        if (_latest.TryGetValue(append.Shard, out var before))
        {
            if (append.Epoch < before.Epoch)
                findings.Add(Loss.Stale, $"{append.Writer} wrote {append.First}..{append.Last} of shard {append.Shard} under epoch {append.Epoch}, after {before.Writer} had written under {before.Epoch}.");
            else if (append.Epoch == before.Epoch && append.Writer != before.Writer)
                findings.Add(Loss.Stale, $"{append.Writer} and {before.Writer} both wrote to shard {append.Shard} under epoch {append.Epoch}.");
            if (append.First != before.Last + 1)
                findings.Add(Loss.Unequal, $"{append.Writer} appended {append.First} to shard {append.Shard}, whose last was {before.Last}.");
            if (append.Writer != before.Writer)
                TakeoverCount++;
        }
        _latest[append.Shard] = append;
    }
}
