namespace Astra.Kernel.Tasks;

/// <summary>The goal as rows: what it is restored from, what a read answers, and what of it the tables do not show yet.</summary>
internal sealed partial class Goal
{
    private readonly List<TaskNode> _dirtyTasks = [];
    private readonly List<RemovedTask> _removedTasks = [];

    /// <summary>Changed since the projection last took its image.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>The tables refuse it. Its owner's memory and the log are all there is of it.</summary>
    public bool IsQuarantined { get; set; }

    /// <summary>The next image is to make its rows anew.</summary>
    public bool IsReleasing { get; set; }

    /// <summary>Given up in quarantine; its rows go with the next image.</summary>
    public bool IsDiscarded { get; private set; }

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

    private static TaskNode Restore(TaskRow row) => new(
        row.Id, row.Spec.Extras.WantedOutcomes is null ? row.Spec : row.Spec with { Extras = row.Spec.Extras with { WantedOutcomes = null } }, row.CreatedAt)
    {
        State = row.State, Attempt = row.Attempt, FailureCount = row.FailureCount, ExpiryCount = row.ExpiryCount, DueAt = row.DueAt,
        StartedAt = row.StartedAt, EndedAt = row.EndedAt, Worker = row.Worker, WorkerName = row.WorkerName, WorkerProcess = row.WorkerProcess,
        Output = row.Output, Failure = row.Failure, Reason = row.Reason, DoomedBy = row.DoomedBy,
    };

    public GoalRow ToRow() => new()
    {
        Tenant = Tenant, Id = Id, Agent = Agent, Title = Title, Input = Input, Priority = Priority, DeadTaskPolicy = DeadTaskPolicy,
        State = State, Revision = Revision, LastSeq = LastSeq, CreatedAt = CreatedAt, EndedAt = EndedAt, Result = Result, Reason = Reason,
        IdempotencyKey = IdempotencyKey, RequestDigest = RequestDigest, SubmittedBy = SubmittedBy, Counts = Counts, Extras = Extras,
    };

    public TaskRow ToRow(TaskNode node) => new()
    {
        Tenant = Tenant, Goal = Id, Id = node.Id, Spec = WithWantedOutcomes(node),
        After = node.After.Count == 0 ? [] : node.After.ConvertAll(static edge => edge.ToDependency()),
        State = node.State, Attempt = node.Attempt, FailureCount = node.FailureCount, ExpiryCount = node.ExpiryCount,
        CreatedAt = node.CreatedAt, DueAt = node.DueAt, StartedAt = node.StartedAt, EndedAt = node.EndedAt,
        Worker = node.Worker, WorkerName = node.WorkerName, WorkerProcess = node.WorkerProcess,
        Output = node.Output, Failure = node.Failure, Reason = node.Reason, DoomedBy = node.DoomedBy,
    };

    public GoalSnapshot ToSnapshot() => new(ToRow(), [.. Graph.Tasks.Select(ToRow)]);

    private static TaskSpec WithWantedOutcomes(TaskNode node) => node.After.Exists(edge => edge.Outcome is not null)
        ? node.Spec with { Extras = node.Spec.Extras with { WantedOutcomes = [.. node.After.Select(edge => edge.Outcome)] } }
        : node.Spec;

    /// <summary>Everything that changed since this was last called, as it is now.</summary>
    public void TakeImage(List<GoalRow> goals, List<TaskRow> tasks, List<TaskRowChange> changes, List<RemovedTask> removed)
    {
        goals.Add(ToRow());
        foreach (var node in _dirtyTasks)
        {
            node.IsDirty = false;
            if (Graph.Find(node.Id) is null || (Mutants.ProjectionSkipsOne && ReferenceEquals(node, _dirtyTasks[^1])))
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

    // Images of a shard are written in the order in which they are taken, so one that was taken is a row by then.
    private static TaskRowChange ChangeOf(TaskNode node) => (node.WasPlain, node.IsPlain) switch
    {
        (null, true) when node.State != TaskState.Running => TaskRowChange.Added,
        (true, true) when !node.IsReshaped => TaskRowChange.Moved,
        _ => TaskRowChange.Whole,
    };

    private void MarkDirty(TaskNode node)
    {
        if (node.IsDirty)
            return;
        node.IsDirty = true;
        _dirtyTasks.Add(node);
    }
}
