using Astra.Kernel.Actors;
using Astra.Kernel.Controls;
using Astra.Kernel.Metrics;
using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

/// <summary>
/// Hands ready tasks to free slots: one per node, for all its shards, so that being spread over shards earns nothing.
/// It proposes; the shard that owns the task disposes, and the claim is durable before the worker hears of it.
/// </summary>
internal sealed partial class Scheduler(IClock clock, KernelLimits limits, ShardDoor door, NodeLoad load, WorkerRoster roster, KernelMetrics metrics, Func<int> nodeCount) : Actor
{
    // What a task of an executor nobody has timed lately is charged in advance.
    private static readonly TimeSpan FirstCharge = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan BusyShardDelay = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan RefusedClaimDelay = TimeSpan.FromMilliseconds(100);

    // A shard's empty set is kept for its next task up to this capacity.
    private const int KeptSetMax = 16;

    private static readonly object DueTick = new();
    private static readonly object FillTick = new();
    private static readonly object TokenTick = new();

    private readonly FairQueue _queue = new();
    private readonly LaterTasks _later = new();
    private readonly Dictionary<ShardId, HashSet<TaskId>> _byShard = [];
    private readonly WorkerPool _workers = new();
    private readonly LimitBook _book = new(clock, limits, nodeCount);
    private readonly Dictionary<AttemptId, (ReadyTask Ready, WorkerId Worker)> _adopted = [];

    // The worker left before the shard had answered: a refusal puts the task back in line all the same.
    private readonly Dictionary<ClaimTask, ReadyTask> _unanswered = [];

    private readonly RunTimes _runTimes = new();

    // Made once, and not for every look into the queue.
    private Func<ReadyTask, bool>? _mayRun;
    private Func<ReadyTask, TimeSpan>? _chargeOf;

    private DateTimeOffset? _dueTimer;
    private TimeSpan? _tokenTimer;

    // What limits hold back must not start for want of knowing them: nothing is handed out before they have been read.
    private bool _hasControls;

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
                _unanswered.Remove(committed.Claim);
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
            case WorkerResized resized:
                _workers.Resize(resized.Worker, resized.Slots);
                break;
            case WorkerSilent silent:
                FallSilent(silent.Worker, silent.At);
                break;
            case WorkerHeard heard:
                Wake(heard.Worker);
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
            case ControlSet controls:
                _hasControls = true;
                _queue.Weigh(controls.Tenants);
                _book.Load(controls.Tenants);
                break;
            case DrainingChanged:
                break;
            case CalendarJumped:
                PlaceAnew(turn);
                break;
            case ExplainReady explain:
                turn.Reply(Why.Of(explain));
                return default;
            case ExplainWorker explain:
                turn.Reply(Why.Of(explain));
                return default;
            case ExplainAgent explain:
                turn.Reply(Why.Of(explain));
                return default;
            case Summarise:
                turn.Reply(Why.Summarise());
                return default;
            case TakeCensus:
                turn.Reply(SchedulerCensus.Of(Why.Summarise(), _queue, _workers, _byShard, _later.All));
                return default;
            case var tick when ReferenceEquals(tick, DueTick):
                if (!Mutants.TimerLost)
                    _dueTimer = null;
                TakeDue(turn);
                break;
            case var tick when ReferenceEquals(tick, AwayTick):
                _awayTimer = null;
                EndSilence(turn);
                break;
            case var tick when ReferenceEquals(tick, TokenTick):
                _tokenTimer = null;
                break;
            case var tick when ReferenceEquals(tick, FillTick):
                break;
        }
        Fill(turn);
        load.Ready = _queue.Count + _later.Count;
        return default;
    }

    private SchedulerWhy Why => new(clock, _queue, _workers, _book, _later, _runTimes, load.IsDraining);

    private void Offer(ReadyTask ready, ActorTurn turn)
    {
        Drop(ready.Task);
        // A calendar that was set back makes nobody wait longer than it would have.
        if (ready.DueAt > clock.UtcNow + ready.RetryDelayMax)
            ready = ready with { DueAt = clock.UtcNow + ready.RetryDelayMax };
        if (!_byShard.TryGetValue(ready.Shard, out var tasks))
            _byShard[ready.Shard] = tasks = [];
        tasks.Add(ready.Task);

        if (DueOf(ready) is { } due && due > clock.UtcNow)
        {
            _later.Add(ready, due);
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

    /// <summary>Not before either.</summary>
    private static DateTimeOffset? DueOf(ReadyTask ready) =>
        ready.NotBefore is { } start && !(start < ready.DueAt) ? start : ready.DueAt;

    private void PlaceAnew(ActorTurn turn)
    {
        _dueTimer = null;
        foreach (var ready in _later.TakeAll())
            Offer(ready, turn);
        WatchDue(turn);
    }

    private void Drop(TaskId task)
    {
        _queue.Remove(task);
        _later.Remove(task);
        var shard = task.Shard;
        // The next task of the shard finds its set again, unless that has grown.
        if (_byShard.TryGetValue(shard, out var tasks) && tasks.Remove(task) && tasks.Count == 0 && tasks.Capacity > KeptSetMax)
            _byShard.Remove(shard);
    }

    private void WatchDue(ActorTurn turn)
    {
        if (_later.NextDue is not { } due || (_dueTimer is { } set && set <= due))
            return;
        _dueTimer = due;
        var delay = due - clock.UtcNow;
        turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, DueTick);
    }

    private void TakeDue(ActorTurn turn)
    {
        while (_later.TryTakeDue(clock.UtcNow, out var ready))
            Queue(ready);
        WatchDue(turn);
    }

    private void Fill(ActorTurn turn)
    {
        var now = clock.Elapsed;
        var (mayRun, chargeOf) = (_mayRun ??= MayRun, _chargeOf ??= ChargeOf);
        while (_hasControls && !load.IsDraining && _workers.HasFreeSlot && _queue.Count > 0 && _queue.Take(mayRun, chargeOf, _runTimes.LongestOfAll(now)) is { } ready)
        {
            Drop(ready.Task);
            var charge = ChargeOf(ready);
            var worker = _workers.Choose(ready.Tenant, ready.Class)!;
            var claim = new ClaimTask(ready.Task, ready.AttemptBefore, ready.Epoch, worker);
            switch (ready.Owner.TrySend(claim, turn.Self))
            {
                case SendResult.Ok:
                    // A goal that goes on offers what is ready by what was decided, which may run ahead of the log.
                    if (_workers.Take(new TakenTask(ready, claim, now, charge)) is { } over)
                        End(over, now - over.Since);
                    _book.Enter(ready);
                    break;
                case SendResult.Full:
                    // The shard is busy. Its task goes back in line, and the slots wait a moment for it.
                    _queue.Settle(ready, charge, TimeSpan.Zero);
                    Offer(ready, turn);
                    turn.Schedule(BusyShardDelay, FillTick);
                    return;
            }
        }
        WatchTokens(turn);
    }

    private bool MayRun(ReadyTask ready) => _workers.Choose(ready.Tenant, ready.Class) is not null && _book.Find(ready) is null;

    // As much as it may use, so that nobody is served again on the strength of what has not been counted yet; what it
    // did not use is given back when it ends. WaitBound rests on this.
    private TimeSpan ChargeOf(ReadyTask ready) => _runTimes.LongestOf(ready.Class.Executor, clock.Elapsed) is var charge && charge > TimeSpan.Zero ? charge : FirstCharge;

    /// <summary>Whoever a rate has refused is looked at again when there is something to have.</summary>
    private void WatchTokens(ActorTurn turn)
    {
        if (_book.NextToken is not { } next)
            return;
        _book.ForgetNextToken();
        if (_tokenTimer is { } set && set <= next)
            return;
        _tokenTimer = next;
        var delay = next - clock.Elapsed;
        turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, TokenTick);
    }

    private void Free(WorkerId worker, AttemptId attempt)
    {
        if (_adopted.TryGetValue(attempt, out var adopted) && adopted.Worker == worker)
        {
            _adopted.Remove(attempt);
            _book.Leave(adopted.Ready);
        }
        if (_workers.Release(worker, attempt) is not { } taken)
            return;
        var used = clock.Elapsed - taken.Since;
        End(taken, used);
        _runTimes.Add(taken.Ready.Class.Executor, used, clock.Elapsed);
        metrics.Ran(used);
    }

    private void End(TakenTask taken, TimeSpan used)
    {
        _queue.Settle(taken.Ready, taken.Charge, used);
        _book.Leave(taken.Ready);
    }

    private void TakeBack(ClaimRefused refused, ActorTurn turn)
    {
        if (!_unanswered.Remove(refused.Claim, out var ready))
        {
            if (_workers.TakeBack(refused.Claim) is not { } taken)
                return;
            ready = taken.Ready;
            _queue.Settle(ready, taken.Charge, TimeSpan.Zero);
            _book.TakeBack(ready);
        }
        if (refused.IsWorthAnother && !IsOnOffer(ready.Task))
            Offer(ready with { DueAt = clock.UtcNow + RefusedClaimDelay, RetryDelayMax = RefusedClaimDelay }, turn);
    }

    private bool IsOnOffer(TaskId task) => _queue.Contains(task) || _later.Find(task) is not null;

    private void Forget(ForgetShard forget, ActorTurn turn)
    {
        foreach (var task in _byShard.GetValueOrDefault(forget.Shard)?.ToList() ?? [])
            Drop(task);
        _byShard.Remove(forget.Shard);
        foreach (var claim in _unanswered.Keys.Where(claim => claim.Task.Shard == forget.Shard).ToList())
            _unanswered.Remove(claim);
        foreach (var attempt in _adopted.Keys.Where(attempt => attempt.Task.Shard == forget.Shard).ToList())
            if (_adopted.Remove(attempt, out var adopted))
                _book.Leave(adopted.Ready);
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
        // Those of a worker that is not here count for the limits until they end.
        foreach (var task in adopted.Running)
        {
            if (_workers.Find(task.Worker, task.Attempt) is not null)
                continue;
            if (_workers.Handle(task.Worker) is { } worker)
                _workers.Take(new TakenTask(task.Ready, new ClaimTask(task.Ready.Task, task.Ready.AttemptBefore, task.Ready.Epoch, worker), clock.Elapsed, TimeSpan.Zero) { IsConfirmed = true });
            else if (!_adopted.TryAdd(task.Attempt, (task.Ready, task.Worker)))
                continue;
            _book.Adopt(task.Ready);
        }
    }

    private void TakeAway(TakenTask taken, string reason)
    {
        _workers.Release(taken.Claim.Worker.Id, taken.Attempt);
        End(taken, taken.IsConfirmed ? clock.Elapsed - taken.Since : TimeSpan.Zero);
        if (taken.IsConfirmed)
            taken.Claim.Worker.Worker.Revoke(taken.Ready.Task, taken.Attempt.Attempt, reason);
    }

    private void Lose(WorkerId worker)
    {
        // One that had said it would take nothing more and then went gave back what it had; one that is just gone may have
        // been taken down by it.
        var saidGoodbye = _workers.IsDraining(worker);
        foreach (var taken in _workers.Leave(worker))
        {
            End(taken, clock.Elapsed - taken.Since);
            if (!taken.IsConfirmed)
                _unanswered[taken.Claim] = taken.Ready;
            door.Tell(saidGoodbye
                ? new WorkerReport.Released(taken.Attempt, worker, "its worker stopped in good order")
                : new WorkerReport.Lost(taken.Attempt, worker, "its worker disconnected"));
        }
    }
}
