using Astra.Postgres.Journal;

namespace Astra.Hosting;

/// <summary>Looks after the log: opens the next segment in time, and drops those whose history nobody was promised any more.
/// What a shard needs to come back, and what belongs to a goal that is not over, always stays.</summary>
public sealed class SegmentKeeper(LogSegments segments, TimeSpan historyKept, TimeProvider machine, Action<string> say)
{
    // A drop reads each old segment from end to end, so it is not for every look.
    private static readonly TimeSpan DropPeriod = TimeSpan.FromHours(1);

    private long? _droppedAt;

    /// <summary>Cheap most of the time: once a minute is right.</summary>
    public async ValueTask LookAsync(CancellationToken cancellationToken)
    {
        await segments.RollAsync(cancellationToken);
        if (_droppedAt is { } last && machine.GetElapsedTime(last) < DropPeriod)
            return;
        _droppedAt = machine.GetTimestamp();
        if (await segments.DropProjectedSegmentsAsync(historyKept, cancellationToken) is > 0 and var dropped)
            say($"{(dropped == 1 ? "one segment of the log was" : $"{dropped} segments of the log were")} dropped: everything in there has ended and is older than {Words(historyKept)}");
    }

    private static string Words(TimeSpan kept) => kept.TotalDays >= 1 ? $"{kept.TotalDays:0.#} day{(kept.TotalDays is 1 ? "" : "s")}" : $"{kept.TotalHours:0.#} hours";
}
