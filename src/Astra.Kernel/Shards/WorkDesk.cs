using Astra.Kernel.Actors;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>A shard's dealings with workers: claims, leases, reports, and what each committed move of a task causes.</summary>
internal sealed class WorkDesk(ShardId shard, ShardGoals goals, ShardLog log, GoalDecisions decisions, DelegationDesk delegations, NodeParts parts)
{
    private readonly Dictionary<TaskId, (Goal Goal, TaskNode Task)> _running = [];
    private readonly List<(Goal Goal, TaskNode Task)> _readied = [];
    private readonly EffectDesk _effects = new(decisions, parts.Limits);
    private ActorRef? _self;
    private Epoch _epoch;
    private TimeSpan? _firstEnd;
    private (TimeSpan At, IDisposable Timer)? _watch;

    public void Open(ActorRef self, Epoch epoch) => (_self, _epoch) = (self, epoch);

    public void Claim(ClaimTask claim, bool isOpen)
    {
        var goal = claim.Epoch == _epoch ? goals.FindByTask(claim.Task) : null;
        var task = goal?.Graph.Find(claim.Task);
        // It may have been given to other hands by an edit since it was offered; it is on offer to those by then.
        var isForThisWorker = task is not null && claim.Worker.Offer.Executors.Contains(task.Spec.Executor);
        // The calendar may have been set back since it became due.
        var isDue = task is null || !(StartOf(task.Spec) > parts.Clock.UtcNow);
        if (goal is null || task is null || (goal.Extras.Pause is not null && !Mutants.PauseIgnored) || task.State != TaskState.Ready || task.Attempt != claim.AttemptBefore || !isForThisWorker || !isDue || !isOpen)
        {
            var isStillReady = task is { State: TaskState.Ready } && goal!.Extras.Pause is null && task.Attempt == claim.AttemptBefore && isForThisWorker;
            parts.Scheduler.TrySend(new ClaimRefused(claim, IsWorthAnother: isStillReady));
            return;
        }
        if (task.Spec.Extras.Deadline <= parts.Clock.UtcNow)
        {
            decisions.Lapse(goal, task);
            parts.Scheduler.TrySend(new ClaimRefused(claim, IsWorthAnother: false));
            return;
        }
        // A task is Ready only when no dependency is open. Nobody looks again.
        System.Diagnostics.Debug.Assert(task.OpenDependencies == 0, "A ready task has open dependencies.");
        Hold(goal, task, new TaskLease(claim.Worker.Id, claim.Worker.Worker, parts.Clock.Elapsed, task.Spec.LeaseDuration));
        decisions.Claim(goal, task, claim.Worker.Id, claim.Worker.Offer.Name, claim.Worker.Offer.IsInProcess ? parts.Self.Incarnation : null);
        log.Defer(() => parts.Scheduler.TrySend(new ClaimCommitted(claim)));
    }

    /// <summary>A task as the owner before left it. Healthy workers get a full period, so that a takeover kills no one's
    /// work; a worker whose process is gone gets none.</summary>
    public void Adopt(Goal goal, TaskNode task, IReadOnlySet<Guid> livingProcesses)
    {
        if (task.State == TaskState.Ready)
            Offer(goal, task);
        if (task.State != TaskState.Running)
            return;
        Hold(goal, task, new TaskLease(task.Worker!.Value, worker: null, parts.Clock.Elapsed, task.Spec.LeaseDuration));
        if (task.WorkerProcess is { } process && !livingProcesses.Contains(process))
            decisions.Expire(goal, task, "the server process that ran it is gone");
    }

    public Answer<TaskState> Take(WorkerReport report)
    {
        if (goals.FindByTask(report.Attempt.Task) is not { } goal || goal.Graph.Find(report.Attempt.Task) is not { } task)
            return Late("The task is gone: its goal has ended, or it was removed from the plan.");

        // The fence comes before the table.
        if (report.Attempt.Attempt != task.Attempt && !Mutants.CompletionFromOldAttempt)
            return Late($"Attempt {report.Attempt.Attempt} of {task.Spec.Name} is over; the latest is {task.Attempt}.");
        if (task.State == TaskState.Running && task.Lease?.WorkerId != report.Worker)
            return Late($"Another worker holds attempt {task.Attempt} of {task.Spec.Name}.");

        return report switch
        {
            WorkerReport.Completed completed => Complete(completed, goal, task),
            WorkerReport.Suspended suspended => Suspend(suspended, goal, task),
            WorkerReport.Failed failed when DiedOtherwise(task, failed.Failure) => Late($"Task {task.Spec.Name} has ended: it is dead."),
            WorkerReport.Failed failed => Answer(decisions.Fail(goal, task, failed.Failure, RetryDue), task),
            WorkerReport.Lost lost => Answer(decisions.Expire(goal, task, lost.Reason), task),
            WorkerReport.Released released => Answer(decisions.Release(goal, task, released.Reason), task),
            WorkerReport.Intended intended => _effects.Intend(goal, task, intended.What),
            WorkerReport.Delegated delegated => delegations.Take(goal, task, delegated),
            WorkerReport.Settled settled => _effects.Settle(goal, task, settled.Outcome, settled.Output),
            _ => throw new InvalidOperationException($"A worker does not report {report.GetType().Name}."),
        };
    }

    /// <summary>Its attempt had been given up before it died, of a deadline or of its workers: what is reported now is not what is kept.</summary>
    private static bool DiedOtherwise(TaskNode task, Failure failure) =>
        task is { State: TaskState.Dead, Failure: { } cause } && !(cause.Fingerprint == failure.Fingerprint && cause.Reason.StartsWith(failure.Reason, StringComparison.Ordinal));

    /// <summary>In memory only, never a row: losing a renewal in a crash costs at most one more attempt.</summary>
    public LostLeases Renew(RenewLeases renew)
    {
        var lost = new List<AttemptId>();
        foreach (var attempt in renew.Attempts)
        {
            if (_running.TryGetValue(attempt.Task, out var held) && held.Task.Attempt == attempt.Attempt && held.Task.Lease?.WorkerId == renew.Worker)
                held.Task.Lease.Renew(parts.Clock.Elapsed, held.Task.Spec.LeaseDuration);
            else
                lost.Add(attempt);
        }
        return new LostLeases(lost);
    }

    /// <summary>How the worker of a running task is heard of; null when it does not run.</summary>
    public LeaseStanding? Standing(TaskId task) =>
        _running.GetValueOrDefault(task).Task?.Lease is { } lease ? new LeaseStanding(parts.Clock.Elapsed - lease.RenewedAt, lease.Until - parts.Clock.Elapsed) : null;

    /// <summary>A goal was paused, or goes on.</summary>
    public Action EffectOfPause(Goal goal) => () =>
    {
        foreach (var task in goal.Graph.Tasks.Where(task => task.State == TaskState.Ready).OrderBy(task => task.Order).ToList())
            if (goal.Extras.Pause is null)
                Offer(goal, task);
            else
                parts.Scheduler.TrySend(new Withdraw(task.Id));
    };

    public void ExpireLeases()
    {
        _watch = null;
        var now = parts.Clock.Elapsed;
        foreach (var (goal, task) in _running.Values.Where(held => held.Task.Lease!.Until <= now).OrderBy(held => held.Task.Id.Value).ToList())
            if (task.State == TaskState.Running)
                EndSilence(goal, task);
        _firstEnd = _running.Count == 0 ? null : _running.Values.Min(held => held.Task.Lease!.Until);
    }

    private void EndSilence(Goal goal, TaskNode task)
    {
        // Not a decision, and nothing that has to be durable: told first, so that what becomes ready is not offered to it.
        parts.Scheduler.TrySend(new WorkerSilent(task.Lease!.WorkerId, parts.Clock.Elapsed));
        var reason = $"its worker was silent for {task.Spec.LeaseDuration.TotalSeconds:0.#} seconds";
        if (task.Lease!.HasBeenHeard)
            decisions.Expire(goal, task, reason);
        else
            decisions.Release(goal, task, $"{reason} after the shard changed hands");
    }

    /// <summary>One timer, set for the lease that may end first. Renewals do not move it: when it fires it looks, and sets
    /// itself again. A lease that ends earlier than it does moves it forward.</summary>
    public void WatchLeases(ActorTurn turn)
    {
        if (_firstEnd is not { } first || (_watch is { } set && set.At <= first) || Mutants.ReaperOff)
            return;
        _watch?.Timer.Dispose();
        var delay = first - parts.Clock.Elapsed;
        _watch = (first, turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, LeasesDue.Instance));
    }

    /// <summary>What a move causes once it is durable: a second small table, keyed by where the task comes from and goes to. What
    /// it makes ready does not wait for that, see <see cref="OfferReadied"/>.</summary>
    public Action? EffectOf(Goal goal, TaskNode task, JournalEntry entry)
    {
        var effect = EffectOfMove(goal, task, entry);
        return entry.To == TaskState.Dead ? EffectOfDeath(task.Spec, effect) : effect;
    }

    private Action EffectOfDeath(TaskSpec spec, Action? move) => () =>
    {
        parts.Metrics.Exhausted(spec);
        move?.Invoke();
    };

    // Each effect in a method of its own, so that it holds on to no more than it needs.
    private Action? EffectOfMove(Goal goal, TaskNode task, JournalEntry entry)
    {
        if (entry.Command == TaskCommand.Claim)
            return EffectOfClaim(task.Lease!.Worker, AssignmentOf(goal, task, entry));
        if (entry.From == TaskState.Running && task.Lease is { } held)
        {
            _running.Remove(task.Id);
            task.Lease = null;
            return EffectOfEnd(goal, task, entry, held);
        }
        if (entry.To == TaskState.Ready || entry.Kind is EventKind.TaskPrioritised or EventKind.TaskReplaced)
        {
            _readied.Add((goal, task));
            return null;
        }
        if (entry.From == TaskState.Ready || entry.Kind == EventKind.TaskRemoved)
            return EffectOfWithdrawal(task, isRemoved: entry.Kind == EventKind.TaskRemoved);
        return null;
    }

    /// <param name="assignment">What the task waited for is handed over as it is now: by the time the claim is durable some of
    /// it may have been redriven.</param>
    private static Action EffectOfClaim(IWorker? worker, Assignment assignment) => () => worker?.Assign(assignment);

    private Action EffectOfEnd(Goal goal, TaskNode task, JournalEntry entry, TaskLease held)
    {
        var isRevoked = entry.Command is TaskCommand.Cancel or TaskCommand.Expire or TaskCommand.Suspend or TaskCommand.Lapse
            || entry is { Command: TaskCommand.Exhaust, Event: KernelEvent.TaskDied { Failure.Kind: FailureKind.Poison } };
        return () =>
        {
            if (isRevoked)
                held.Worker?.Revoke(task.Id, entry.Attempt, entry.Command == TaskCommand.Lapse ? "The deadline of the task has passed." : $"The attempt is over: {entry.Kind}.");
            if (!Mutants.SlotLeaked)
                parts.Scheduler.TrySend(new SlotFreed(new AttemptId(task.Id, entry.Attempt), held.WorkerId));
            if (entry.To == TaskState.Ready)
                Offer(goal, task);
        };
    }

    /// <summary>By the time it is durable the task may be ready again, and on offer.</summary>
    private Action EffectOfWithdrawal(TaskNode task, bool isRemoved) => () =>
    {
        if (isRemoved || task.State != TaskState.Ready || Mutants.ReadyTaskWithdrawn)
            parts.Scheduler.TrySend(new Withdraw(task.Id));
    };

    private void Hold(Goal goal, TaskNode task, TaskLease lease)
    {
        task.Lease = lease;
        _running[task.Id] = (goal, task);
        if (_firstEnd is not { } first || lease.Until < first)
            _firstEnd = lease.Until;
    }

    /// <summary>What has become ready in this turn is on offer before it is durable: its claim is an entry behind its own, and
    /// only when that is durable is anybody outside the kernel told. It saves a claimed task a whole commit.</summary>
    public void OfferReadied()
    {
        foreach (var (goal, task) in _readied)
            Offer(goal, task);
        _readied.Clear();
    }

    public void GiveBackRoom()
    {
        _running.GiveBackRoom();
        _readied.GiveBackRoom();
    }

    private void Offer(Goal goal, TaskNode task)
    {
        // The effect of an entry runs later than it was decided, and the task may have moved on.
        if (task.State == TaskState.Ready && goal.Extras.Pause is null)
            parts.Scheduler.TrySend(ToReady(goal, task, task.Attempt));
    }

    /// <summary>The task as the scheduler is told of it.</summary>
    public ReadyTask ToReady(Goal goal, TaskNode task, int attemptBefore) => new()
    {
        Shard = shard, Epoch = _epoch, Owner = _self!, Tenant = goal.Tenant, Agent = goal.Agent, Goal = goal.Id, Task = task.Id, AttemptBefore = attemptBefore,
        Class = new TaskClass(task.Spec.Executor, task.Spec.Extras.Queue, task.Spec.Extras.Requires),
        Priority = Math.Clamp(goal.Priority + task.Spec.Priority, -100, 100), LeaseDuration = task.Spec.LeaseDuration,
        DueAt = task.DueAt, RetryDelayMax = task.DueAt is null ? TimeSpan.Zero : RetryPolicyOf(task.Spec).DelayAfter(task.FailureCount, dice: 1), NotBefore = StartOf(task.Spec),
    };

    private static DateTimeOffset? StartOf(TaskSpec spec) => Mutants.StartIgnored ? null : spec.Extras.NotBefore;

    private Answer<TaskState> Complete(WorkerReport.Completed completed, Goal goal, TaskNode task)
    {
        if (completed.Output.Length > parts.Limits.PayloadBytesMax)
            return new Refusal(RefusalKind.Invalid,
                $"The output of {task.Spec.Name} has {completed.Output.Length} bytes; {parts.Limits.PayloadBytesMax} is the limit. Save larger things as artifacts.");
        if (SpecRules.CheckOutcome(completed.Outcome, parts.Limits) is { } badOutcome)
            return badOutcome;
        // The same attempt and the same end, but not this report: what the person said is what is kept.
        if (task is { State: TaskState.Completed, Spec.Extras.Effect: { State: EffectState.Sent, By: { } by } })
            return Late($"The attempt at {task.Spec.Name} was lost, and {by} has settled what became of it.");
        if (task.State == TaskState.Running && completed.Edits.Count > 0)
        {
            if (completed.Edits.Any(edit => Ends(edit, task)))
                return new Refusal(RefusalKind.Invalid, $"Step {task.Spec.Name} cannot complete and be cancelled or suspended by the same report.");
            if (Apply(completed.Edits, goal, task) is { } refusal)
                return refusal;
        }
        return Answer(decisions.Complete(goal, task, completed.Output, completed.Outcome), task);
    }

    /// <summary>The attempt ends by putting something in front of itself.</summary>
    private Answer<TaskState> Suspend(WorkerReport.Suspended suspended, Goal goal, TaskNode task)
    {
        if (task.State != TaskState.Running)
            return Answer(TaskTransitions.Of(task.State, TaskCommand.Suspend), task);
        if (suspended.Edits.Any(edit => Ends(edit, task)))
            return new Refusal(RefusalKind.Invalid, $"Step {task.Spec.Name} cannot be suspended and cancelled by the same report.");
        return Apply([.. suspended.Edits, new GraphEdit.Suspend(task.Spec.Name, suspended.After)], goal, task) is { } refusal ? refusal : task.State;
    }

    private Refusal? Apply(IReadOnlyList<GraphEdit> edits, Goal goal, TaskNode task)
    {
        var editor = new GraphEditor(goal, decisions, log, parts);
        var refusal = editor.Apply(edits, GraphEdit.ByTask + task.Spec.Name, reason: null);
        parts.Load.AddGraphVisits(editor.VisitCount);
        return refusal;
    }

    /// <summary>An edit that would end the very attempt that hands it in.</summary>
    private static bool Ends(GraphEdit edit, TaskNode task) => edit switch
    {
        GraphEdit.Cancel cancel => cancel.Name == task.Spec.Name,
        GraphEdit.Suspend suspend => suspend.Name == task.Spec.Name,
        GraphEdit.CancelSubtree cancel => cancel.Name == task.Spec.Name,
        GraphEdit.CancelGroup cancel => GraphEditor.IsIn(cancel.Group, task),
        _ => false,
    };

    private static Answer<TaskState> Answer(Transition transition, TaskNode task) => transition switch
    {
        { IsMove: true } or { No: No.Same } => task.State,
        { No: No.Late } => Late(task.State.IsFinal()
            ? $"Task {task.Spec.Name} has ended: it is {task.State.ToString().ToLowerInvariant()}."
            : $"Attempt {task.Attempt} of {task.Spec.Name} is over; the task is {task.State.ToString().ToLowerInvariant()} again."),
        _ => throw new InvalidOperationException($"A report met task {task.Id} in state {task.State}, which cannot be."),
    };

    private static Refusal Late(string reason) => new(RefusalKind.Late, reason);

    private RetryPolicy RetryPolicyOf(TaskSpec spec) => spec.Extras.Retry ?? parts.Limits.Retry;

    private DateTimeOffset RetryDue(TaskSpec spec, int failureCount) =>
        parts.Clock.UtcNow + RetryPolicyOf(spec).DelayAfter(failureCount, parts.Randomness.NextDouble());

    private Assignment AssignmentOf(Goal goal, TaskNode task, JournalEntry claim) => new()
    {
        Tenant = goal.Tenant,
        Goal = goal.Id,
        Agent = goal.Agent,
        SubmittedBy = goal.SubmittedBy,
        Task = task.Id,
        Attempt = claim.Attempt,
        Spec = task.Spec,
        GoalInput = goal.Input,
        Dependencies = task.After.Count == 0 ? [] :
            [.. task.After.Select(edge => new EndedDependency(edge.Node.Spec.Name, edge.Node.State, edge.Node.Output, edge.Node.Failure?.Reason ?? edge.Node.Reason))],
        Now = claim.At,
    };
}

/// <summary>When the worker was last heard of, and when the lease ends if it is not.</summary>
internal sealed record LeaseStanding(TimeSpan SilentFor, TimeSpan EndsIn);

internal sealed record LostLeases(IReadOnlyList<AttemptId> Attempts);
