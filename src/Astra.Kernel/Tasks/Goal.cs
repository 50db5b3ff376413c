using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>
/// One goal with its graph in memory, as of the last decided event. State changes here and only here, by applying
/// events: the same method serves a live decision and the replay of the log. What an event makes of a task is in
/// Goal.Tasks.cs, the goal as rows in Goal.Rows.cs.
/// </summary>
internal sealed partial class Goal
{
    private readonly int[] _counts = new int[(int)TaskState.Dead + 1];

    private Goal(GoalId id, TenantId tenant, string? agent, string title, ReadOnlyMemory<byte> input, int priority,
        DeadTaskPolicy deadTaskPolicy, string? idempotencyKey, ulong requestDigest, string submittedBy, DateTimeOffset createdAt, GoalExtras extras)
    {
        (Id, Tenant, Agent, Title, Input, Priority) = (id, tenant, agent, title, input, priority);
        (DeadTaskPolicy, IdempotencyKey, RequestDigest, SubmittedBy, CreatedAt) = (deadTaskPolicy, idempotencyKey, requestDigest, submittedBy, createdAt);
        Extras = extras;
        if (extras.IsHeld && !Mutants.GoalBeginsTooEarly)
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
        if (!Mutants.RemovedRowStays)
            _removedTasks.Add(new RemovedTask(Tenant, node.Id));
    }
}
