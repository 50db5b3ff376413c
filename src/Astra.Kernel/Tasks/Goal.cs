using Astra.Kernel.Effects;
using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>
/// One goal with its graph in memory, as of the last decided event. State changes here and only here, by applying
/// events: the same method serves a live decision and the replay of the log.
/// </summary>
internal sealed class Goal
{
    private readonly int[] _counts = new int[(int)TaskState.Dead + 1];
    private readonly List<TaskNode> _dirtyTasks = [];
    private readonly List<RemovedTask> _removedTasks = [];

    private Goal(GoalId id, TenantId tenant, string? agent, string title, ReadOnlyMemory<byte> input, int priority,
        DeadTaskPolicy deadTaskPolicy, string? idempotencyKey, ulong requestDigest, string submittedBy, DateTimeOffset createdAt, GoalExtras extras)
    {
        (Id, Tenant, Agent, Title, Input, Priority) = (id, tenant, agent, title, input, priority);
        (DeadTaskPolicy, IdempotencyKey, RequestDigest, SubmittedBy, CreatedAt) = (deadTaskPolicy, idempotencyKey, requestDigest, submittedBy, createdAt);
        Extras = extras;
        if (extras.IsHeld)
            Graph.Hold();
    }

    public GoalId Id { get; }
    public TenantId Tenant { get; }
    public string? Agent { get; }
    public string Title { get; }
    public ReadOnlyMemory<byte> Input { get; }
    public int Priority { get; }
    public DeadTaskPolicy DeadTaskPolicy { get; }
    public string? IdempotencyKey { get; }
    public ulong RequestDigest { get; }
    public string SubmittedBy { get; }
    public DateTimeOffset CreatedAt { get; }
    public GoalExtras Extras { get; private set; }
    public TaskGraph Graph { get; } = new();

    public GoalState State { get; private set; } = GoalState.Active;
    public long Revision { get; private set; }
    public long LastSeq { get; private set; }
    public DateTimeOffset? EndedAt { get; private set; }
    public ReadOnlyMemory<byte> Result { get; private set; }
    public string? Reason { get; private set; }

    /// <summary>Changed since the projection last took its image.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>The tables refuse it. Its owner's memory and the log are all there is of it.</summary>
    public bool IsQuarantined { get; set; }

    /// <summary>The next image is to make its rows anew.</summary>
    public bool IsReleasing { get; set; }

    /// <summary>Given up in quarantine; its rows go with the next image.</summary>
    public bool IsDiscarded { get; private set; }

    public TaskCounts Counts => new(
        _counts[(int)TaskState.Pending], _counts[(int)TaskState.Ready], _counts[(int)TaskState.Running],
        _counts[(int)TaskState.Completed], _counts[(int)TaskState.Cancelled], _counts[(int)TaskState.Dead]);

    public static Goal Begin(JournalEntry entry, KernelEvent.GoalSubmitted submitted)
    {
        var goal = new Goal(entry.Goal, entry.Tenant, submitted.Agent, submitted.Title, submitted.Input, submitted.Priority,
            submitted.DeadTaskPolicy, submitted.IdempotencyKey, submitted.RequestDigest, submitted.SubmittedBy, entry.At, submitted.Extras);
        goal.Touch(entry);
        return goal;
    }

    public static Goal Restore(GoalSnapshot snapshot)
    {
        var row = snapshot.Goal;
        var goal = new Goal(row.Id, row.Tenant, row.Agent, row.Title, row.Input, row.Priority, row.DeadTaskPolicy,
            row.IdempotencyKey, row.RequestDigest, row.SubmittedBy, row.CreatedAt, row.Extras)
        {
            State = row.State, Revision = row.Revision, LastSeq = row.LastSeq, EndedAt = row.EndedAt, Result = row.Result, Reason = row.Reason,
        };
        foreach (var task in snapshot.Tasks)
        {
            goal.Graph.Add(Restore(task));
            goal._counts[(int)task.State]++;
        }
        if (!goal.Graph.TryConnectAll(snapshot.Tasks.Select(task => (goal.Graph[task.Id], goal.Edges(task.After)))))
            throw new InvalidDataException($"The rows hold a cycle in goal {row.Id}.");
        foreach (var node in goal.Graph.Tasks)
        {
            node.OpenDependencies = TaskGraph.CountOpen(node);
            (node.WasPlain, node.IsReshaped) = (node.IsPlain, false);
        }
        return goal;
    }

    /// <summary>Takes an event in. It was decided against this very state, or read from the log behind it.</summary>
    public void Apply(JournalEntry entry, KernelEvent kernelEvent)
    {
        Touch(entry);
        switch (kernelEvent)
        {
            case KernelEvent.GoalSubmitted:
                break;
            case KernelEvent.PlanEdited edited:
                Revision = edited.Revision;
                break;
            case KernelEvent.GoalCompleted completed:
                End(GoalState.Completed, entry.At, null, completed.Result);
                break;
            case KernelEvent.GoalFailed failed:
                End(GoalState.Failed, entry.At, failed.Reason, default);
                break;
            case KernelEvent.GoalCancelled cancelled:
                End(GoalState.Cancelled, entry.At, cancelled.Reason, default);
                break;
            case KernelEvent.GoalReopened:
                (State, EndedAt, Reason) = (GoalState.Active, null, null);
                break;
            case KernelEvent.GoalReleased:
                IsReleasing = true;
                foreach (var every in Graph.Tasks)
                {
                    MarkDirty(every);
                    every.WasPlain = null;
                }
                break;
            case KernelEvent.GoalDiscarded:
                IsDiscarded = true;
                break;
            case KernelEvent.PredecessorEnded ended:
                Extras = Extras with { After = [.. Extras.After!.Select(dependency => dependency.On == ended.On ? dependency with { Ended = ended.State } : dependency)] };
                if (!Extras.IsHeld)
                    Graph.Release();
                break;
            case KernelEvent.GoalPaused paused:
                Extras = Extras with { Pause = new GoalPause(paused.By, paused.Reason, entry.At) };
                break;
            case KernelEvent.GoalResumed:
                Extras = Extras with { Pause = null };
                break;
            case KernelEvent.TaskAdded added:
                var node = new TaskNode(entry.Task!.Value, added.Spec, entry.At);
                Graph.Add(node);
                Connect(node, added.After);
                Enter(node, entry);
                break;
            case KernelEvent.TaskRemoved:
                var removed = Graph[entry.Task!.Value];
                Graph.Remove(removed);
                Leave(removed);
                break;
            default:
                ApplyToTask(Graph[entry.Task!.Value], entry, kernelEvent);
                break;
        }
    }

    /// <summary>An edit has changed the shape already, to see that it makes no cycle; this takes in the rest of the event.</summary>
    public void ApplyShaped(TaskNode node, JournalEntry entry, KernelEvent kernelEvent)
    {
        Touch(entry);
        switch (kernelEvent)
        {
            case KernelEvent.TaskAdded:
                Enter(node, entry);
                break;
            case KernelEvent.TaskRemoved:
                Leave(node);
                break;
            case KernelEvent.TaskRewired or KernelEvent.TaskExtended:
                node.OpenDependencies = TaskGraph.CountOpen(node);
                MarkDirty(node);
                break;
            default:
                throw new InvalidOperationException($"{kernelEvent.Kind} does not change the shape of a graph.");
        }
    }

    public GoalRow ToRow() => new()
    {
        Tenant = Tenant, Id = Id, Agent = Agent, Title = Title, Input = Input, Priority = Priority, DeadTaskPolicy = DeadTaskPolicy,
        State = State, Revision = Revision, LastSeq = LastSeq, CreatedAt = CreatedAt, EndedAt = EndedAt, Result = Result, Reason = Reason,
        IdempotencyKey = IdempotencyKey, RequestDigest = RequestDigest, SubmittedBy = SubmittedBy, Counts = Counts, Extras = Extras,
    };

    public TaskRow ToRow(TaskNode node) => new()
    {
        Tenant = Tenant, Goal = Id, Id = node.Id, Spec = WithWantedOutcomes(node),
        After = node.After.Count == 0 ? [] : [.. node.After.Select(edge => edge.ToDependency())],
        State = node.State, Attempt = node.Attempt, FailureCount = node.FailureCount, ExpiryCount = node.ExpiryCount,
        CreatedAt = node.CreatedAt, DueAt = node.DueAt, StartedAt = node.StartedAt, EndedAt = node.EndedAt,
        Worker = node.Worker, WorkerName = node.WorkerName, WorkerProcess = node.WorkerProcess,
        Output = node.Output, Failure = node.Failure, Reason = node.Reason, DoomedBy = node.DoomedBy,
    };

    /// <summary>Everything that changed since this was last called, as it is now.</summary>
    public void TakeImage(List<GoalRow> goals, List<TaskRow> tasks, List<TaskRowChange> changes, List<RemovedTask> removed)
    {
        goals.Add(ToRow());
        foreach (var node in _dirtyTasks)
        {
            node.IsDirty = false;
            if (Graph.Find(node.Id) is null)
                continue;
            tasks.Add(ToRow(node));
            changes.Add(ChangeOf(node));
            (node.WasPlain, node.IsReshaped) = (node.IsPlain, false);
        }
        removed.AddRange(_removedTasks);
        _dirtyTasks.Clear();
        _removedTasks.Clear();
        IsDirty = false;
    }

    public GoalSnapshot ToSnapshot() => new(ToRow(), [.. Graph.Tasks.Select(ToRow)]);

    // Images of a shard are written in the order in which they are taken, so one that was taken is a row by then.
    private static TaskRowChange ChangeOf(TaskNode node) => (node.WasPlain, node.IsPlain) switch
    {
        (null, true) when node.State != TaskState.Running => TaskRowChange.Added,
        (true, true) when !node.IsReshaped => TaskRowChange.Moved,
        _ => TaskRowChange.Whole,
    };

    private static TaskSpec WithWantedOutcomes(TaskNode node) => node.After.Exists(edge => edge.Outcome is not null)
        ? node.Spec with { Extras = node.Spec.Extras with { WantedOutcomes = [.. node.After.Select(edge => edge.Outcome)] } }
        : node.Spec;

    private static TaskNode Restore(TaskRow row) => new(
        row.Id, row.Spec.Extras.WantedOutcomes is null ? row.Spec : row.Spec with { Extras = row.Spec.Extras with { WantedOutcomes = null } }, row.CreatedAt)
    {
        State = row.State, Attempt = row.Attempt, FailureCount = row.FailureCount, ExpiryCount = row.ExpiryCount, DueAt = row.DueAt,
        StartedAt = row.StartedAt, EndedAt = row.EndedAt, Worker = row.Worker, WorkerName = row.WorkerName, WorkerProcess = row.WorkerProcess,
        Output = row.Output, Failure = row.Failure, Reason = row.Reason, DoomedBy = row.DoomedBy,
    };

    private void Touch(JournalEntry entry)
    {
        LastSeq = entry.Seq;
        IsDirty = true;
    }

    private void End(GoalState state, DateTimeOffset at, string? reason, ReadOnlyMemory<byte> result) =>
        (State, EndedAt, Reason, Result) = (state, at, reason, result);

    private void Connect(TaskNode node, IReadOnlyList<Dependency> after)
    {
        if (!Graph.TryConnect(node, Edges(after)))
            throw new InvalidDataException($"The log holds a cycle in goal {Id}, at task {node.Id}.");
    }

    private IReadOnlyList<Edge> Edges(IReadOnlyList<Dependency> after) =>
        [.. after.Select(dependency => new Edge(Graph[dependency.On], dependency.Kind, dependency.Outcome))];

    private void Enter(TaskNode node, JournalEntry entry)
    {
        node.State = entry.To!.Value;
        node.OpenDependencies = TaskGraph.CountOpen(node);
        MarkDirty(node);
        _counts[(int)node.State]++;
    }

    private void Leave(TaskNode node)
    {
        _counts[(int)node.State]--;
        _removedTasks.Add(new RemovedTask(Tenant, node.Id));
    }

    private void MarkDirty(TaskNode node)
    {
        if (node.IsDirty)
            return;
        node.IsDirty = true;
        _dirtyTasks.Add(node);
    }

    private void ApplyToTask(TaskNode node, JournalEntry entry, KernelEvent kernelEvent)
    {
        MarkDirty(node);
        switch (kernelEvent)
        {
            case KernelEvent.TaskRewired rewired:
                Connect(node, rewired.After);
                node.OpenDependencies = TaskGraph.CountOpen(node);
                return;
            case KernelEvent.TaskExtended extended:
                if (!Graph.TryExtend(node, Edges(extended.After)))
                    throw new InvalidDataException($"The log holds a cycle in goal {Id}, at task {node.Id}.");
                node.OpenDependencies = TaskGraph.CountOpen(node);
                return;
            case KernelEvent.TaskReplaced replaced:
                Graph.Respecify(node, replaced.Spec);
                // What a row was made with never changes in place, so it is made anew.
                _removedTasks.Add(new RemovedTask(Tenant, node.Id));
                return;
            case KernelEvent.TaskPrioritised prioritised:
                node.Spec = node.Spec with { Priority = prioritised.Priority };
                return;
            case KernelEvent.EffectIntended or KernelEvent.EffectSettled:
                ApplyToEffect(node, entry, kernelEvent);
                return;
            case KernelEvent.GoalDelegated delegated:
                node.Spec = node.Spec with { Extras = node.Spec.Extras with { Delegations = [.. node.Spec.Extras.Delegations ?? [], new Delegation(delegated.Name, delegated.Digest)] } };
                return;
            case KernelEvent.TaskFixed made:
                node.Spec = node.Spec with
                {
                    Executor = made.Executor ?? node.Spec.Executor,
                    Input = made.Input ?? node.Spec.Input,
                    Extras = node.Spec.Extras with { FixCount = node.Spec.Extras.FixCount + 1 },
                };
                return;
            case KernelEvent.TaskClaimed claimed:
                (node.Attempt, node.StartedAt, node.DueAt) = (entry.Attempt, entry.At, null);
                (node.Worker, node.WorkerName, node.WorkerProcess) = (claimed.Worker, claimed.WorkerName, claimed.WorkerProcess);
                break;
            case KernelEvent.TaskCompleted completed:
                (node.Output, node.Failure) = (completed.Output, null);
                if (completed.Outcome is { } outcome)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { Outcome = outcome } };
                break;
            case KernelEvent.TaskRetried retried:
                (node.Failure, node.DueAt) = (retried.Failure, retried.DueAt);
                node.FailureCount++;
                if (Extras.RetriesMax is not null)
                    Extras = Extras with { RetriesUsed = Extras.RetriesUsed + 1 };
                break;
            case KernelEvent.EffectLost lost:
                ApplyToEffect(node, entry, lost);
                break;
            case KernelEvent.TaskDied died:
                node.Failure = died.Failure;
                // A deadline that passes is no attempt that failed.
                if (entry.Command != TaskCommand.Lapse)
                    node.FailureCount++;
                break;
            case KernelEvent.TaskExpired:
                node.ExpiryCount++;
                break;
            case KernelEvent.TaskCancelled cancelled:
                node.Reason = cancelled.Reason;
                break;
            case KernelEvent.TaskDoomed doomed:
                node.DoomedBy = doomed.By;
                node.Reason = $"It waits for {Graph[doomed.By].Spec.Name}, which will not complete.";
                break;
            case KernelEvent.TaskSkipped skipped:
                var by = Graph[skipped.By];
                node.DoomedBy = skipped.By;
                node.Reason = by.State == TaskState.Completed
                    ? $"Not taken: {by.Spec.Name} ended with {(by.Spec.Extras.Outcome is { } said ? $"the outcome {said}" : "no outcome")}."
                    : $"Not taken: {by.Spec.Name}, which it waits for, was left out.";
                node.Spec = node.Spec with { Extras = node.Spec.Extras with { IsSkipped = true } };
                break;
            case KernelEvent.TaskRedriven:
                if (node.IsSkipped)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { IsSkipped = false } };
                (node.FailureCount, node.ExpiryCount, node.DoomedBy, node.Reason, node.EndedAt, node.DueAt) = (0, 0, null, null, null, null);
                if (Extras.RetriesUsed > 0)
                    Extras = Extras with { RetriesUsed = 0 };
                // Whoever asks for it again wants it, late as it is.
                if (node.Spec.Extras.Deadline <= entry.At)
                    node.Spec = node.Spec with { Extras = node.Spec.Extras with { Deadline = null } };
                break;
        }
        Move(node, entry.To!.Value, entry.At);
    }

    /// <summary>The ledger's page of a task. An effect that nobody knows about is one more thing the task waits for.</summary>
    private static void ApplyToEffect(TaskNode node, JournalEntry entry, KernelEvent kernelEvent)
    {
        var before = node.Spec.Extras.Effect;
        var effect = kernelEvent switch
        {
            KernelEvent.EffectIntended intended => new EffectRecord(entry.Attempt, EffectState.Intended, intended.What, entry.At, default, null),
            KernelEvent.EffectSettled settled => before! with { State = settled.State, At = entry.At, Output = settled.Output, By = settled.By },
            _ => before! with { State = EffectState.Unknown, At = entry.At },
        };
        node.Spec = node.Spec with { Extras = node.Spec.Extras with { Effect = effect } };
        node.Failure = kernelEvent is KernelEvent.EffectLost lost ? lost.Failure
            : node.Failure is { Kind: FailureKind.UnknownEffect } ? null
            : node.Failure;
        node.OpenDependencies = TaskGraph.CountOpen(node);
    }

    private void Move(TaskNode node, TaskState to, DateTimeOffset at)
    {
        var from = node.State;
        _counts[(int)from]--;
        _counts[(int)to]++;
        node.State = to;
        if (to != TaskState.Running)
            (node.Worker, node.WorkerName, node.WorkerProcess) = (null, null, null);
        if (to.IsFinal())
            node.EndedAt = at;

        CountForDependents(node, from);
    }

    /// <summary>Readiness is a counter: O(out-degree) when a task ends, and a recount when a redrive takes an end back.</summary>
    private static void CountForDependents(TaskNode node, TaskState from)
    {
        if (from.IsFinal() == node.State.IsFinal())
            return;
        foreach (var dependent in node.Dependents)
        {
            if (from.IsFinal())
                dependent.Node.OpenDependencies = TaskGraph.CountOpen(dependent.Node);
            else if (node.IsMet(dependent))
                dependent.Node.OpenDependencies--;
        }
    }
}
