using Astra.Kernel.Actors;
using Astra.Kernel.Journal;
using Astra.Kernel.Projecting;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>
/// One virtual shard: the single writer of the goals it owns. It decides in memory, hands the entries to the log, and
/// only when they are durable does it reply, publish and hand out work. It never awaits, and no user code runs here.
/// </summary>
/// <remarks>If a commit fails or is refused the incarnation crashes and the next one is rebuilt from the database under a
/// new epoch. Nobody was told anything that is not true.</remarks>
internal sealed class ShardActor : Actor
{
    public static readonly Refusal Starting = new(RefusalKind.Unavailable, "The shard is starting; try again in a moment.", TimeSpan.FromMilliseconds(200));

    public static readonly Refusal Lost = new(
        RefusalKind.Unavailable,
        "The shard was lost before the answer was durable, and nobody knows whether the request took effect. Try again with the same Idempotency-Key.",
        TimeSpan.FromMilliseconds(500));

    private const int FirstIncarnation = 1;

    private readonly ShardId _id;
    private readonly NodeParts _node;
    private readonly ShardLog _log;
    private readonly ShardGoals _goals = new();
    private readonly GoalDesk _desk;
    private readonly WorkDesk _work;
    private readonly GoalWaits _waits;
    private readonly QuarantineDesk _quarantine;
    private readonly DeadlineDesk _deadlines;

    private Epoch _epoch;
    private bool _isOpen;
    private bool _isHandingOver;
    private bool _isDirtyAnnounced;
    private long _imagedSeq;
    private long _projectedSeq;

    public ShardActor(ShardId id, NodeParts node)
    {
        (_id, _node) = (id, node);
        _log = new ShardLog(id, node.Clock, node.Writer);
        var decisions = new GoalDecisions(_log, node.Limits);
        var submissions = new SubmissionDesk(_goals, _log, decisions, node);
        _desk = new GoalDesk(_goals, _log, decisions, submissions, node);
        _work = new WorkDesk(id, _goals, _log, decisions, new DelegationDesk(_goals, decisions, submissions, node), node);
        _waits = new GoalWaits(id, _goals, new GoalCascades(_log, decisions, node.Limits), node);
        _quarantine = new QuarantineDesk(_goals, _log, decisions);
        _deadlines = new DeadlineDesk(_goals, decisions, node.Clock);
        (_log.Recorded, _log.Committed) = (OnRecorded, node.Events.Publish);
    }

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        if (turn.Incarnation > FirstIncarnation)
            _node.Region.TrySend(new ShardRestarted(_id, turn.Incarnation));
        return default;
    }

    protected internal override ValueTask RestartingAsync(Exception why, object? message, ActorTurn turn)
    {
        _log.Abandon();
        Forget();
        return default;
    }

    protected internal override ValueTask StoppedAsync(ActorTurn turn)
    {
        _log.Abandon();
        Forget();
        _node.Scheduler.TrySend(new ForgetShard(_id, HasLeft: true));
        return default;
    }

    protected internal override ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        Advance(turn);
        if (!_isOpen && message is not ActivateShard)
        {
            if (message is HandOverShard)
                turn.Sender?.TrySend(new ShardHandedOver(_id));
            else
                Refuse(message, Starting, turn);
            return default;
        }

        switch (message)
        {
            case ActivateShard activate:
                Activate(activate, turn);
                break;
            case ShardRequest request:
                Serve(request, turn);
                break;
            case ClaimTask claim:
                _work.Claim(claim, isOpen: !_isHandingOver && _node.Ownership.Holds);
                break;
            case WorkerReport report:
                ReplyDurably(turn.Sender, _work.Take(report));
                if (report is WorkerReport.Delegated delegated && _goals.FindByTask(report.Attempt.Task) is { } parent && _goals.Find(parent.Tenant, delegated.Goal) is { } child)
                    _waits.Add(child);
                break;
            case RenewLeases renew:
                turn.Sender?.TrySend(_work.Renew(renew));
                break;
            case LeasesDue:
                _work.ExpireLeases();
                break;
            case SeeGoals see:
                ReplyDurably<GoalsSeen>(turn.Sender, _isHandingOver || !_node.Ownership.Holds ? Starting : _waits.See(see));
                break;
            case GoalsEnded ended:
                if (!_isHandingOver && _node.Ownership.Holds)
                    _waits.Take(ended.Standings);
                break;
            case GoalsDue:
                _waits.LookAgain(turn);
                break;
            case DeadlinesDue:
                _deadlines.Lapse();
                break;
            case CalendarJumped:
                _deadlines.LookAgain();
                break;
            case TakeImage take:
                // The mailbox outlives a crash: this may have been meant for the incarnation before.
                if (take.Epoch == _epoch)
                    SendImage(turn.Self);
                break;
            case Projected projected:
                OnProjected(projected);
                break;
            case HandOverShard:
                // What was promised before this line is kept; the next owner reads it from the log.
                _isHandingOver = true;
                var region = turn.Sender;
                _log.Defer(() => region?.TrySend(new ShardHandedOver(_id)));
                break;
            case AppendEnded:
                break;
            default:
                throw new InvalidOperationException($"A shard does not understand {message.GetType().Name}.");
        }

        _work.WatchLeases(turn);
        _waits.Look(turn);
        _deadlines.SetTimer(turn);
        AnnounceDirty(turn.Self);
        Advance(turn);
        return default;
    }

    private void Advance(ActorTurn turn)
    {
        var committed = _log.Advance(turn.Self);
        if (committed > 0)
            _node.Load.AddBacklog(committed);
    }

    // ---- Coming to life -------------------------------------------------------------------------------------------

    private void Activate(ActivateShard activate, ActorTurn turn)
    {
        if (activate.Incarnation != turn.Incarnation || (_isOpen && activate.Epoch <= _epoch))
            return;
        if (_isOpen)
            throw new ShardLostException($"Shard {_id} changed hands and came back.");

        (_epoch, _isOpen, _isHandingOver) = (activate.Epoch, true, false);
        foreach (var snapshot in activate.Snapshot.Goals)
            Add(Goal.Restore(snapshot));
        foreach (var goal in _quarantine.Restore(activate))
            Add(goal);
        foreach (var entry in activate.Tail)
            Replay(entry, activate.Snapshot);
        _projectedSeq = _imagedSeq = activate.Snapshot.Watermark;
        _log.Open(activate.Epoch, activate.Tail.Count > 0 ? activate.Tail[^1].Seq : activate.Snapshot.Watermark);
        _node.Load.AddBacklog((int)(_log.LastSeq - _projectedSeq));
        _goals.Open(_node.Clock.Elapsed);
        _work.Open(turn.Self, activate.Epoch);

        var active = _goals.All.Where(goal => goal.State == GoalState.Active).OrderBy(goal => goal.Id.Value).ToList();
        var running =
            from goal in active
            from node in goal.Graph.Tasks
            where node.State == TaskState.Running
            orderby node.Id.Value
            select new RunningTask(_work.ToReady(goal, node, node.Attempt - 1), node.Worker!.Value);
        _node.Scheduler.TrySend(new ShardAdopted(_id, [.. running]));
        foreach (var goal in active)
            _waits.Add(goal);
        foreach (var goal in active)
            foreach (var node in goal.Graph.Tasks.OrderBy(node => node.Order).ToList())
            {
                _work.Adopt(goal, node, activate.LivingProcesses);
                _deadlines.Watch(node);
            }
    }

    private void Replay(JournalEntry entry, ShardSnapshot snapshot)
    {
        if (_quarantine.IsGivenUp(entry))
            return;
        var kernelEvent = entry.Event;
        if (kernelEvent is KernelEvent.GoalSubmitted submitted)
        {
            var begun = Goal.Begin(entry, submitted);
            QuarantineDesk.Mark(begun, snapshot);
            Add(begun);
            return;
        }
        var goal = _goals.Find(entry.Tenant, entry.Goal)
            ?? throw new InvalidDataException($"Entry {entry.Seq} of shard {_id} is about goal {entry.Goal}, which no snapshot and no entry before it holds.");
        goal.Apply(entry, kernelEvent);
        Follow(goal, entry);
    }

    private void Add(Goal goal)
    {
        _goals.Add(goal);
        if (goal.State == GoalState.Active)
            _node.Load.AddActive(goal.Tenant);
    }

    private void Follow(Goal goal, JournalEntry entry)
    {
        _goals.Follow(goal, entry);
        if (entry.Kind is EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled)
            _node.Load.RemoveActive(goal.Tenant);
        else if (entry.Kind == EventKind.GoalReopened)
            _node.Load.AddActive(goal.Tenant);
    }

    private Action? OnRecorded(Goal goal, TaskNode? node, JournalEntry entry)
    {
        Follow(goal, entry);
        if (entry.Kind is EventKind.TaskAdded or EventKind.TaskReplaced or EventKind.TaskRedriven or EventKind.EffectSettled)
            _deadlines.Touch(node!);
        return node is not null ? _work.EffectOf(goal, node, entry)
            : entry.Kind is EventKind.GoalPaused or EventKind.GoalResumed ? _work.EffectOfPause(goal) : _waits.EffectOf(goal, entry);
    }

    private void Forget()
    {
        if (!_isOpen)
            return;
        foreach (var goal in _goals.All)
            if (goal.State == GoalState.Active)
                _node.Load.RemoveActive(goal.Tenant);
        _node.Load.AddBacklog((int)(_projectedSeq - _log.CommittedSeq));
        _node.Scheduler.TrySend(new ForgetShard(_id, HasLeft: false));
        _node.Projector.TrySend(new ShardGone(_id, _epoch));
        _isOpen = false;
    }

    // ---- Requests -------------------------------------------------------------------------------------------------

    private void Serve(ShardRequest request, ActorTurn turn)
    {
        if (_isHandingOver || !_node.Ownership.Holds)
        {
            Refuse(request, Starting, turn);
            return;
        }

        switch (request)
        {
            case ShardRequest.Submit submit:
                ReplyDurably(turn.Sender, _desk.Submit(submit));
                if (_goals.Find(submit.Tenant, submit.Goal) is { } submitted)
                    _waits.Add(submitted);
                break;
            case ShardRequest.Edit { IsBrief: true } edit:
                ReplyDurably(turn.Sender, _desk.EditBriefly(edit));
                break;
            case ShardRequest.Edit edit:
                ReplyDurably(turn.Sender, _desk.Edit(edit));
                break;
            case ShardRequest.ValidateEdit validate:
                ReplyDurably(turn.Sender, _desk.Validate(validate));
                break;
            case ShardRequest.CancelGoal cancel:
                ReplyDurably(turn.Sender, _desk.Cancel(cancel));
                break;
            case ShardRequest.ReleaseGoal release:
                ReplyDurably(turn.Sender, _quarantine.Release(release));
                break;
            case ShardRequest.DiscardGoal discard:
                ReplyDurably(turn.Sender, _quarantine.Discard(discard));
                break;
            case ShardRequest.PauseGoal pause:
                ReplyDurably(turn.Sender, _desk.Pause(pause));
                break;
            case ShardRequest.ResumeGoal resume:
                ReplyDurably(turn.Sender, _desk.Resume(resume));
                break;
            case ShardRequest.Redrive redrive:
                ReplyDurably(turn.Sender, _desk.Redrive(redrive));
                break;
            case ShardRequest.Discard discard:
                ReplyDurably(turn.Sender, _desk.Discard(discard));
                break;
            case ShardRequest.Fix fix:
                ReplyDurably(turn.Sender, _desk.Fix(fix));
                break;
            case ShardRequest.ResolveEffect resolve:
                ReplyDurably(turn.Sender, _desk.Resolve(resolve));
                break;
            case ShardRequest.Revive revive:
                if (_desk.Revive(revive) is { } refusal)
                    turn.Sender?.TrySend(refusal);
                else
                    Serve(revive.Then, turn);
                break;
            // A read answers what it sees now, but not before that is durable.
            case ShardRequest.ReadGoal read:
                ReplyDurably(turn.Sender, _desk.Read(read));
                break;
            case ShardRequest.ReadPlan read:
                ReplyDurably(turn.Sender, _desk.Read(read));
                break;
            case ShardRequest.ReadTask read:
                ReplyDurably(turn.Sender, _desk.Read(read));
                break;
            case ShardRequest.ReadLease read:
                turn.Sender?.TrySend(_goals.FindByTask(read.Tenant, read.Task) is not null && _work.Standing(read.Task) is { } lease
                    ? lease : new Refusal(RefusalKind.NotFound, $"No attempt at task {read.Task} is running."));
                break;
            default:
                throw new InvalidOperationException($"A shard does not serve {request.GetType().Name}.");
        }
    }

    private void ReplyDurably<T>(ActorRef? sender, Answer<T> answer)
    {
        if (sender is null)
            return;
        _log.DeferReply(sender, answer.Refusal is { } refusal ? refusal : answer.Value!);
    }

    private void Refuse(object message, Refusal refusal, ActorTurn turn)
    {
        if (message is ShardRequest or WorkerReport or RenewLeases or SeeGoals)
            turn.Sender?.TrySend(refusal);
        else if (message is ClaimTask claim)
            _node.Scheduler.TrySend(new ClaimRefused(claim, IsWorthAnother: false));
    }

    // ---- The rows behind the log ------------------------------------------------------------------------------------

    private void AnnounceDirty(ActorRef self)
    {
        if (_isDirtyAnnounced || _log.LastSeq == _imagedSeq)
            return;
        _isDirtyAnnounced = true;
        _node.Projector.TrySend(new ShardDirty(_id, _epoch, self));
    }

    /// <summary>The rows as of the last decided entry, handed over once that entry is durable: at the watermark the tables
    /// are a complete snapshot.</summary>
    private void SendImage(ActorRef self)
    {
        var goals = new List<GoalRow>();
        var tasks = new List<TaskRow>();
        var changes = new List<TaskRowChange>();
        var removed = new List<RemovedTask>();
        var released = new List<(TenantId, GoalId)>();
        var discarded = new List<(TenantId, GoalId)>();
        foreach (var goal in _goals.All)
        {
            if (!goal.IsDirty)
                continue;
            if (goal.IsDiscarded)
                discarded.Add((goal.Tenant, goal.Id));
            else if (goal.IsReleasing)
                released.Add((goal.Tenant, goal.Id));
            goal.IsReleasing = false;
            goal.TakeImage(goals, tasks, changes, removed);
        }
        var image = new ShardProjection(_id, _epoch, _log.LastSeq, goals, tasks, removed) { Changes = changes, Released = released, Discarded = discarded };
        (_isDirtyAnnounced, _imagedSeq) = (false, _log.LastSeq);
        _log.Defer(() => _node.Projector.TrySend(new ShardImage(image, self)));
    }

    private void OnProjected(Projected projected)
    {
        _node.Load.AddBacklog((int)(_projectedSeq - projected.Watermark));
        _projectedSeq = projected.Watermark;
        _quarantine.OnProjected(projected);
        _goals.Evict(projected.Watermark, _node.Clock.Elapsed);
    }
}
