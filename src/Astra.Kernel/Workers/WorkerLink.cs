using System.Runtime.CompilerServices;
using Astra.Kernel.Effects;
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

    private readonly WorkerPulse _pulse;
    private readonly ShardDoor _door;
    private readonly NodeParts _parts;

    internal WorkerLink(WorkerId id, WorkerPulse pulse, ShardDoor door, NodeParts parts) => (Id, _pulse, _door, _parts) = (id, pulse, door, parts);

    public WorkerId Id { get; }

    /// <summary>The worker has said something. Heartbeats and reports count by themselves; this is for whatever else comes
    /// from it. One whose lease ended unheard is given nothing until it is.</summary>
    public void Heard()
    {
        if (_pulse.Beat(_parts.Clock.Elapsed))
            _parts.Scheduler.TrySend(new WorkerHeard(Id));
    }

    /// <summary>Renews the leases of these attempts, in memory. Answers those that are not this worker's any more.</summary>
    public async ValueTask<IReadOnlyList<AttemptId>> HeartbeatAsync(IReadOnlyList<AttemptId> attempts)
    {
        Heard();
        // Side by side: a shard whose owner does not answer must not cost the others their leases.
        var lost = await Task.WhenAll(attempts.GroupBy(attempt => attempt.Task.Shard).Select(ofShard => RenewAsync(ofShard.Key, [.. ofShard])).ToList());
        return [.. lost.SelectMany(ofShard => ofShard)];
    }

    /// <summary>Durable when it answers. The edits take effect in the same commit; a bad edit refuses the report, and the
    /// lease goes on.</summary>
    /// <param name="outcome">A word the task says of itself, for what waits for one.</param>
    public ValueTask<Answer<TaskState>> CompleteAsync(AttemptId attempt, ReadOnlyMemory<byte> output, IReadOnlyList<GraphEdit> edits, string? outcome = null) =>
        ReportAsync(attempt, new WorkerReport.Completed(attempt, Id, output, edits, outcome));

    /// <summary>Ends the attempt: the task waits for these, which the edits may add, and is then tried anew.</summary>
    public ValueTask<Answer<TaskState>> SuspendAsync(AttemptId attempt, IReadOnlyList<NamedDependency> after, IReadOnlyList<GraphEdit> edits) =>
        ReportAsync(attempt, new WorkerReport.Suspended(attempt, Id, after, edits));

    public ValueTask<Answer<TaskState>> FailAsync(AttemptId attempt, Failure failure) =>
        ReportAsync(attempt, new WorkerReport.Failed(attempt, Id, failure with
        {
            Reason = PlainText.Clean(failure.Reason, _parts.Limits.ReasonLengthMax), Fingerprint = PlainText.Clean(failure.Fingerprint, _parts.Limits.NameLengthMax),
        }));

    /// <summary>Gives the task back: it is issued anew at once, and this is no mark against it.</summary>
    public ValueTask<Answer<TaskState>> ReleaseAsync(AttemptId attempt, string reason) =>
        ReportAsync(attempt, new WorkerReport.Released(attempt, Id, PlainText.Clean(reason, _parts.Limits.ReasonLengthMax)));

    /// <summary>Durable when it answers: only then may the attempt act on the outside world.</summary>
    public ValueTask<Answer<TaskState>> IntendAsync(AttemptId attempt, string what) =>
        ReportAsync(attempt, new WorkerReport.Intended(attempt, Id, PlainText.Clean(what, _parts.Limits.ReasonLengthMax)), endsAttempt: false);

    /// <summary>What became of the effect. Its output is kept, and no later attempt makes it again.</summary>
    public ValueTask<Answer<TaskState>> SettleAsync(AttemptId attempt, EffectState outcome, ReadOnlyMemory<byte> output) =>
        ReportAsync(attempt, new WorkerReport.Settled(attempt, Id, outcome, output), endsAttempt: false);

    /// <summary>Submits a goal for another agent, as a child of the attempt's own and only while the attempt is held. The
    /// same name means the same goal for every attempt at the task. Durable when it answers.</summary>
    /// <remarks>Too many at once is an answer here: whoever submits them knows whether to wait.</remarks>
    public async ValueTask<Answer<GoalId>> SubmitGoalAsync(AttemptId attempt, string name, GoalRequest request)
    {
        var delegated = new WorkerReport.Delegated(attempt, Id, name, request);
        var answer = await ReportAsync(attempt, delegated, endsAttempt: false, waitsOutOverload: false);
        return answer.Refusal is { } refusal ? refusal : delegated.Goal;
    }

    /// <summary>From now on it takes this many tasks at once. Fewer than it has takes none away.</summary>
    public void Offer(int slots) => _parts.Scheduler.TrySend(new WorkerResized(Id, slots));

    /// <summary>Takes nothing more.</summary>
    public void Drain()
    {
        _parts.Messages.Drain(Id);
        _parts.Roster.Drain(Id);
        _parts.Scheduler.TrySend(new WorkerDrained(Id));
    }

    /// <summary>What it still held is given to others at once; messages it had are lost.</summary>
    public ValueTask DisposeAsync()
    {
        _parts.Messages.Leave(Id);
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Answer<TaskState>> ReportAsync(AttemptId attempt, WorkerReport report, bool endsAttempt = true, bool waitsOutOverload = true)
    {
        Heard();
        var since = _parts.Clock.Elapsed;
        while (true)
        {
            var asking = _door.ReportAsync(report, out var isHere);
            var answer = await asking;
            // Elsewhere only in the moment in which the shard leaves.
            var isPassing = answer.Refusal is { Kind: RefusalKind.Unavailable or RefusalKind.Elsewhere } || (waitsOutOverload && answer.Refusal is { Kind: RefusalKind.Overloaded });
            var isWorthAnother = isPassing && _parts.Clock.Elapsed - since < ReportPatience;
            if (!isWorthAnother)
            {
                var isOver = endsAttempt || answer.Refusal is { Kind: RefusalKind.Late };
                // A shard of this node that takes an end says so to the scheduler itself.
                var isSaid = isHere && answer.IsOk;
                if (isOver && !isSaid && answer.Refusal is not { Kind: RefusalKind.Invalid or RefusalKind.Conflict or RefusalKind.NotFound })
                    _parts.Scheduler.TrySend(new SlotFreed(attempt, Id));
                return answer;
            }
            await _door.DelayAsync(answer.Refusal!.RetryAfter ?? TimeSpan.FromMilliseconds(100));
        }
    }
}
