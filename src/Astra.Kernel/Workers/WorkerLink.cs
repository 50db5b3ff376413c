using Astra.Kernel.Scheduling;
using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Workers;

/// <summary>What a worker says to the kernel.</summary>
public sealed class WorkerLink : IAsyncDisposable
{
    // A shard that moves or is rebuilt is back within a few seconds. A report is worth waiting that long for: the
    // alternative is to do the work again.
    internal static readonly TimeSpan ReportPatience = TimeSpan.FromSeconds(20);

    private readonly ShardDoor _door;
    private readonly NodeParts _parts;

    internal WorkerLink(WorkerId id, ShardDoor door, NodeParts parts) => (Id, _door, _parts) = (id, door, parts);

    public WorkerId Id { get; }

    /// <summary>Renews the leases of these attempts, in memory. Answers those that are not this worker's any more.</summary>
    public async ValueTask<IReadOnlyList<AttemptId>> HeartbeatAsync(IReadOnlyList<AttemptId> attempts)
    {
        // Side by side: a shard whose owner does not answer must not cost the others their leases.
        var lost = await Task.WhenAll(attempts.GroupBy(attempt => attempt.Task.Shard).Select(ofShard => RenewAsync(ofShard.Key, [.. ofShard])).ToList());
        return [.. lost.SelectMany(ofShard => ofShard)];
    }

    /// <summary>Durable when it answers. The edits take effect in the same commit; a bad edit refuses the report, and the
    /// lease goes on.</summary>
    public ValueTask<Answer<TaskState>> CompleteAsync(AttemptId attempt, ReadOnlyMemory<byte> output, IReadOnlyList<GraphEdit> edits) =>
        ReportAsync(attempt, new WorkerReport.Completed(attempt, Id, output, edits));

    public ValueTask<Answer<TaskState>> FailAsync(AttemptId attempt, Failure failure) =>
        ReportAsync(attempt, new WorkerReport.Failed(attempt, Id, failure with
        {
            Reason = PlainText.Clean(failure.Reason, _parts.Limits.ReasonLengthMax), Fingerprint = PlainText.Clean(failure.Fingerprint, _parts.Limits.NameLengthMax),
        }));

    /// <summary>Takes nothing more.</summary>
    public void Drain()
    {
        _parts.Roster.Drain(Id);
        _parts.Scheduler.TrySend(new WorkerDrained(Id));
    }

    /// <summary>What it still held is given to others at once.</summary>
    public ValueTask DisposeAsync()
    {
        _parts.Roster.Remove(Id);
        _parts.Scheduler.TrySend(new WorkerLeft(Id));
        return default;
    }

    private async Task<IReadOnlyList<AttemptId>> RenewAsync(ShardId shard, IReadOnlyList<AttemptId> attempts)
    {
        var answer = await _door.RenewAsync(shard, new RenewLeases(Id, attempts));
        if (!answer.IsOk)
            return [];
        var lost = answer.Value.Attempts;
        // The shard that took an attempt away says so itself, unless it lives on another node.
        foreach (var attempt in lost)
            _parts.Scheduler.TrySend(new SlotFreed(attempt, Id));
        if (!_door.IsHere(shard))
            _parts.Scheduler.TrySend(new LeasesKept(Id, [.. attempts.Except(lost)]));
        return lost;
    }

    private async ValueTask<Answer<TaskState>> ReportAsync(AttemptId attempt, WorkerReport report)
    {
        var since = _parts.Clock.Elapsed;
        while (true)
        {
            var answer = await _door.ReportAsync(report);
            // Elsewhere only in the moment in which the shard leaves.
            var isWorthAnother = answer.Refusal is { Kind: RefusalKind.Unavailable or RefusalKind.Overloaded or RefusalKind.Elsewhere } && _parts.Clock.Elapsed - since < ReportPatience;
            if (!isWorthAnother)
            {
                if (answer.Refusal is not { Kind: RefusalKind.Invalid or RefusalKind.Conflict or RefusalKind.NotFound })
                    _parts.Scheduler.TrySend(new SlotFreed(attempt, Id));
                return answer;
            }
            await _door.DelayAsync(answer.Refusal!.RetryAfter ?? TimeSpan.FromMilliseconds(100));
        }
    }
}
