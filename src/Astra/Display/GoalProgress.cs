using Astra.Sdk;

namespace Astra.Display;

/// <summary>
/// A goal as its events tell it: which steps there are, where each stands, when it last moved. A snapshot comes first,
/// the events after it; an event that the snapshot already contains changes nothing that a later one does not correct.
/// </summary>
public sealed class GoalProgress
{
    private readonly Dictionary<Guid, StepProgress> _steps = [];
    private readonly List<StepProgress> _order = [];
    private readonly int[] _counts = new int[Enum.GetValues<TaskState>().Length];

    public GoalProgress(GoalView goal, PlanView plan, DateTimeOffset followedSince)
    {
        Goal = goal;
        LastSeq = goal.LastSeq;
        FollowedSince = followedSince;
        foreach (var task in plan.Tasks)
        {
            Add(task.Id, task.Name, task.State);
            var step = _steps[task.Id];
            step.StartedAt = task.StartedAt;
            step.Reason = task.Failure?.Reason;
        }
    }

    public GoalView Goal { get; }
    public long LastSeq { get; private set; }
    public DateTimeOffset FollowedSince { get; }
    public IReadOnlyList<StepProgress> Steps => _order;

    public TaskCounts Counts => new(
        Count(TaskState.Pending), Count(TaskState.Ready), Count(TaskState.Running),
        Count(TaskState.Completed), Count(TaskState.Cancelled), Count(TaskState.Dead));

    /// <summary>Steps that belong together, in the order in which they first appeared.</summary>
    public IEnumerable<IGrouping<string, StepProgress>> Groups() => _order.GroupBy(step => step.Group, StringComparer.Ordinal);

    /// <summary>The step that moved to another state, if this event moved one.</summary>
    public StepProgress? Apply(EventView happened)
    {
        LastSeq = Math.Max(LastSeq, happened.Seq);
        if (happened is not { TaskId: { } id, To: { } to })
            return null;
        if (!_steps.TryGetValue(id, out var step))
        {
            Add(id, happened.Task ?? id.ToString(), to);
            step = _steps[id];
        }
        else if (step.State == to)
        {
            return null;
        }

        _counts[(int)step.State]--;
        _counts[(int)to]++;
        step.State = to;
        step.StartedAt = to is TaskState.Running ? happened.At : step.StartedAt;
        step.Reason = happened.Text ?? (to is TaskState.Dead or TaskState.Cancelled ? step.Reason : null);
        return step;
    }

    private int Count(TaskState state) => _counts[(int)state];

    private void Add(Guid id, string name, TaskState state)
    {
        var step = new StepProgress(id, name) { State = state };
        _steps.Add(id, step);
        _order.Add(step);
        _counts[(int)state]++;
    }
}

public sealed class StepProgress(Guid id, string name)
{
    public Guid Id { get; } = id;
    public string Name { get; } = name;
    public TaskState State { get; set; }
    public DateTimeOffset? StartedAt { get; set; }
    public string? Reason { get; set; }

    /// <summary>`inspect` of `inspect nuget/Npgsql@10.0.0`: a plan that fans out names its steps alike.</summary>
    public string Group { get; } = name.IndexOfAny([' ', '/', ':']) is > 0 and var end ? name[..end] : name;

    public bool IsFinal => State is TaskState.Completed or TaskState.Cancelled or TaskState.Dead;
}
