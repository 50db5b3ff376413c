using Astra.Kernel.Actors;
using Astra.Kernel.Metrics;
using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

/// <summary>
/// Hands ready tasks to free slots: one per node, for all its shards, so that being spread over shards earns nothing.
/// It proposes; the shard that owns the task disposes, and the claim is durable before the worker hears of it.
/// </summary>
internal sealed class Scheduler(IClock clock, KernelLimits limits, ShardDoor door, WorkerRoster roster, KernelMetrics metrics) : Actor
{
    // What a task of an executor nobody has timed yet is charged in advance.
    private static readonly TimeSpan FirstEstimate = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan BusyShardDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan RefusedClaimDelay = TimeSpan.FromMilliseconds(100);

    // The owner on another node counts a lease from when it has taken the shard over. A report waits that long for it, and
    // so does the slot.
    private static readonly TimeSpan AwayPatience = WorkerLink.ReportPatience;

    private static readonly object DueTick = new();
    private static readonly object FillTick = new();
    private static readonly object AwayTick = new();

    private readonly FairQueue _queue = new();
    private readonly PriorityQueue<ReadyTask, DateTimeOffset> _later = new();
    private readonly Dictionary<TaskId, ReadyTask> _laterById = [];
    private readonly Dictionary<ShardId, HashSet<TaskId>> _byShard = [];
    private readonly WorkerPool _workers = new();
    private readonly Dictionary<string, TimeSpan> _estimates = new(StringComparer.Ordinal);
    private DateTimeOffset? _dueTimer;
    private TimeSpan? _awayTimer;

    /// <summary>A successor finds the workers where they are. What they hold it learns from the shards, which are started
    /// anew along with it.</summary>
    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation == 1)
            return default;
        foreach (var (worker, isDraining) in roster.Connected)
        {
            _workers.Join(worker);
            if (isDraining)
                _workers.Drain(worker.Id);
        }
        return default;
    }

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        switch (message)
        {
            case ReadyTask ready:
                Offer(ready, turn);
                break;
            case Withdraw withdraw:
                Drop(withdraw.Task);
                break;
            case SlotFreed freed:
                Free(freed.Worker, freed.Attempt);
                break;
            case ClaimCommitted committed:
                if (_workers.Confirm(committed.Claim)?.Ready.WaitingSince is { } waitingSince)
                    metrics.Waited(clock.Elapsed - waitingSince);
                break;
            case ClaimRefused refused:
                TakeBack(refused, turn);
                break;
            case WorkerJoined joined:
                _workers.Join(joined.Worker);
                break;
            case WorkerDrained drained:
                _workers.Drain(drained.Worker);
                break;
            case WorkerLeft left:
                Lose(left.Worker);
                break;
            case ForgetShard forget:
                Forget(forget, turn);
                break;
            case ShardAdopted adopted:
                Adopt(adopted);
                break;
            case LeasesKept kept:
                Keep(kept);
                break;
            case ExplainReady explain:
                turn.Reply(Explain(explain));
                return default;
            case Summarise:
                turn.Reply(Summary);
                return default;
            case TakeCensus:
                turn.Reply(SchedulerCensus.Of(Summary, _queue, _workers, _byShard, _laterById.Values));
                return default;
            case var tick when ReferenceEquals(tick, DueTick):
                _dueTimer = null;
                TakeDue(turn);
                break;
            case var tick when ReferenceEquals(tick, AwayTick):
                _awayTimer = null;
                EndSilence(turn);
                break;
            case var tick when ReferenceEquals(tick, FillTick):
                break;
        }
        Fill(turn);
        return default;
    }

    private SchedulerSummary Summary => new(_queue.Count + _laterById.Count, _workers.TakenCount, _workers.Summary);

    private void Offer(ReadyTask ready, ActorTurn turn)
    {
        Drop(ready.Task);
        if (!_byShard.TryGetValue(ready.Shard, out var tasks))
            _byShard[ready.Shard] = tasks = [];
        tasks.Add(ready.Task);

        if (ready.DueAt is { } due && due > clock.UtcNow)
        {
            _later.Enqueue(ready, due);
            _laterById[ready.Task] = ready;
            WatchDue(turn);
        }
        else
            Queue(ready);
    }

    private void Queue(ReadyTask ready)
    {
        ready.WaitingSince ??= clock.Elapsed;
        _queue.Add(ready, clock.Elapsed);
    }

    private void Drop(TaskId task)
    {
        _queue.Remove(task);
        _laterById.Remove(task);
        var shard = task.Shard;
        if (_byShard.TryGetValue(shard, out var tasks) && tasks.Remove(task) && tasks.Count == 0)
            _byShard.Remove(shard);
    }

    private void WatchDue(ActorTurn turn)
    {
        if (!_later.TryPeek(out _, out var due) || (_dueTimer is { } set && set <= due))
            return;
        _dueTimer = due;
        var delay = due - clock.UtcNow;
        turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, DueTick);
    }

    private void TakeDue(ActorTurn turn)
    {
        while (_later.TryPeek(out var ready, out var due) && due <= clock.UtcNow)
        {
            _later.Dequeue();
            if (_laterById.TryGetValue(ready.Task, out var latest) && ReferenceEquals(latest, ready) && _laterById.Remove(ready.Task))
                Queue(ready);
        }
        WatchDue(turn);
    }

    private void Fill(ActorTurn turn)
    {
        while (_workers.HasFreeSlot && _queue.Take(MayRun, FirstEstimate) is { } ready)
        {
            Drop(ready.Task);
            var estimate = _estimates.GetValueOrDefault(ready.Executor, FirstEstimate);
            _queue.Charge(ready, estimate - FirstEstimate);
            var worker = _workers.Choose(ready.Tenant, ready.Executor)!;
            var claim = new ClaimTask(ready.Task, ready.AttemptBefore, ready.Epoch, worker);
            switch (ready.Owner.TrySend(claim, turn.Self))
            {
                case SendResult.Ok:
                    _workers.Take(new TakenTask(ready, claim, clock.Elapsed, estimate));
                    break;
                case SendResult.Full:
                    // The shard is busy. Its task goes back in line, and the slots wait a moment for it.
                    _queue.Charge(ready, -estimate);
                    Offer(ready, turn);
                    turn.Schedule(BusyShardDelay, FillTick);
                    return;
            }
        }
    }

    private bool MayRun(TenantId tenant, string? agent, string executor) =>
        _workers.RunningOf(tenant) < limits.RunningTasksPerTenantMax
        && _workers.RunningOf(tenant, agent) < limits.RunningTasksPerAgentMax
        && _workers.Choose(tenant, executor) is not null;

    private void Free(WorkerId worker, AttemptId attempt)
    {
        if (_workers.Release(worker, attempt) is not { } taken)
            return;
        var used = clock.Elapsed - taken.Since;
        metrics.Ran(used);
        _queue.Charge(taken.Ready, used - taken.Estimate);
        // An exponential average over about eight tasks: quick enough to follow, slow enough not to jump.
        _estimates[taken.Ready.Executor] = taken.Estimate + (used - taken.Estimate) / 8;
    }

    private void TakeBack(ClaimRefused refused, ActorTurn turn)
    {
        if (_workers.TakeBack(refused.Claim) is not { } taken)
            return;
        _queue.Charge(taken.Ready, -taken.Estimate);
        if (refused.IsWorthAnother && !IsOnOffer(taken.Ready.Task))
            Offer(taken.Ready with { DueAt = clock.UtcNow + RefusedClaimDelay }, turn);
    }

    private bool IsOnOffer(TaskId task) => _queue.Contains(task) || _laterById.ContainsKey(task);

    private void Forget(ForgetShard forget, ActorTurn turn)
    {
        foreach (var task in _byShard.GetValueOrDefault(forget.Shard)?.ToList() ?? [])
            Drop(task);
        foreach (var taken in _workers.TakenOf(forget.Shard))
            if (!taken.IsConfirmed)
                TakeAway(taken, "Its claim was lost with its shard.");
            else if (forget.HasLeft)
                taken.AwaySince = clock.Elapsed;
        if (forget.HasLeft)
            WatchSilence(turn);
    }

    private void Adopt(ShardAdopted adopted)
    {
        var running = adopted.Running.Select(task => task.Attempt).ToHashSet();
        foreach (var taken in _workers.TakenOf(adopted.Shard))
            if (running.Contains(taken.Attempt))
                taken.AwaySince = null;
            else
                TakeAway(taken, "The attempt is over.");
        // Connected here and not known to hold it: an earlier life of this scheduler gave it to them.
        foreach (var task in adopted.Running)
            if (_workers.Handle(task.Worker) is { } worker && _workers.Find(task.Worker, task.Attempt) is null)
                _workers.Take(new TakenTask(task.Ready, new ClaimTask(task.Ready.Task, task.Ready.AttemptBefore, task.Ready.Epoch, worker), clock.Elapsed, TimeSpan.Zero) { IsConfirmed = true });
    }

    private void Keep(LeasesKept kept)
    {
        foreach (var attempt in kept.Attempts)
            if (_workers.Find(kept.Worker, attempt) is { AwaySince: not null } taken)
                taken.AwaySince = clock.Elapsed;
    }

    private static TimeSpan SilentAt(TakenTask taken) => taken.AwaySince!.Value + taken.Ready.LeaseDuration + AwayPatience;

    private void EndSilence(ActorTurn turn)
    {
        foreach (var taken in _workers.TakenAway)
            if (SilentAt(taken) <= clock.Elapsed)
                TakeAway(taken, "Its shard is on another node, and the lease was not renewed there.");
        WatchSilence(turn);
    }

    /// <summary>One timer, as for a shard's leases: when it fires it looks, and sets itself again.</summary>
    private void WatchSilence(ActorTurn turn)
    {
        if (_workers.TakenAway is not { Count: > 0 } away)
            return;
        var first = away.Min(SilentAt);
        if (_awayTimer is { } set && set <= first)
            return;
        _awayTimer = first;
        var delay = first - clock.Elapsed;
        turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, AwayTick);
    }

    private void TakeAway(TakenTask taken, string reason)
    {
        _workers.Release(taken.Claim.Worker.Id, taken.Attempt);
        _queue.Charge(taken.Ready, (taken.IsConfirmed ? clock.Elapsed - taken.Since : TimeSpan.Zero) - taken.Estimate);
        if (taken.IsConfirmed)
            taken.Claim.Worker.Worker.Revoke(taken.Ready.Task, taken.Attempt.Attempt, reason);
    }

    private void Lose(WorkerId worker)
    {
        foreach (var taken in _workers.Leave(worker))
        {
            _queue.Charge(taken.Ready, clock.Elapsed - taken.Since - taken.Estimate);
            door.Tell(new WorkerReport.Lost(taken.Attempt, worker, "its worker disconnected"));
        }
    }

    private WaitReason Explain(ExplainReady explain)
    {
        var evidence = new Dictionary<string, string>(StringComparer.Ordinal) { ["executor"] = explain.Executor };
        if (_laterById.TryGetValue(explain.Task, out var later))
        {
            evidence["dueAt"] = later.DueAt!.Value.ToString("O");
            return new WaitReason($"It is due at {later.DueAt:HH:mm:ss} UTC, not before.", evidence);
        }
        var (workerCount, slots, taken) = _workers.Standing(explain.Tenant, explain.Executor);
        (evidence["workers"], evidence["slots"], evidence["slotsTaken"]) = (workerCount.ToString(), slots.ToString(), taken.ToString());
        if (workerCount == 0)
            return new WaitReason($"No connected worker offers {explain.Executor}; start one that does.", evidence);
        if (taken >= slots)
            return new WaitReason($"All {slots} slots of the workers that offer {explain.Executor} are taken.", evidence);
        if (_workers.RunningOf(explain.Tenant) is var tenant && tenant >= limits.RunningTasksPerTenantMax)
            return new WaitReason($"The tenant runs {tenant} tasks, which is its limit.", evidence);
        if (_workers.RunningOf(explain.Tenant, explain.Agent) is var agent && agent >= limits.RunningTasksPerAgentMax)
            return new WaitReason($"The agent runs {agent} tasks, which is its limit.", evidence);
        return new WaitReason("It is next in line and is being handed to a worker.", evidence);
    }
}
