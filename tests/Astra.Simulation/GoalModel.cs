using Astra.Kernel;
using Astra.Kernel.Effects;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

/// <summary>A task as the log tells it, in a second implementation that shares nothing with the kernel's.</summary>
internal sealed class TaskModel(TaskId id, string name)
{
    public TaskId Id => id;
    public string Name => name;

    /// <summary>Changed by its goal, which counts.</summary>
    public TaskState State { get; internal set; }
    public int Attempt { get; set; }
    public int FailureCount { get; set; }
    public int ExpiryCount { get; set; }
    public int Priority { get; set; }
    public bool IsDoomed { get; set; }
    public bool IsSkipped { get; set; }
    public string? Outcome { get; set; }
    public ReadOnlyMemory<byte> Output { get; set; }
    public IReadOnlyList<Dependency> After { get; set; } = [];

    /// <summary>Who was given each attempt, and how each ended.</summary>
    public Dictionary<int, WorkerId> Claims { get; } = [];
    public Dictionary<int, TaskCommand> Endings { get; } = [];
    public int RedriveCount { get; set; }

    /// <summary>The goals it has submitted, by the names it gave them.</summary>
    public HashSet<string> Delegations { get; } = [];

    /// <summary>What the log says about its effect on the outside world, and the attempts that said they would make it.</summary>
    public EffectState? Effect { get; set; }
    public HashSet<int> Intents { get; } = [];
    public bool AwaitsResolution => Effect == EffectState.Unknown;

    /// <summary>Null for a task that asks nobody.</summary>
    public ApprovalModel? Approval { get; set; }

    /// <summary>It waits for a person.</summary>
    public bool AwaitsPerson => AwaitsResolution || Approval is { IsGranted: false };
}

/// <summary>What a goal looked like after one entry of the log.</summary>
internal readonly record struct GoalMoment(GoalState State, long Revision, TaskCounts Counts);

/// <summary>A goal as the log tells it.</summary>
internal sealed class GoalModel(TenantId tenant, GoalId id, string? key, DeadTaskPolicy policy)
{
    private readonly int[] _counts = new int[(int)Enum.GetValues<TaskState>().Max() + 1];

    public TenantId Tenant => tenant;
    public GoalId Id => id;
    public string? Key => key;
    public DeadTaskPolicy Policy => policy;
    public required string SubmittedBy { get; init; }

    /// <summary>Who has made the latest edit.</summary>
    public string EditedBy { get; set; } = "";

    /// <summary>What it has to do with other goals, and how those that it comes after have ended, as far as it has taken note.</summary>
    public required GoalExtras Extras { get; init; }
    public required IReadOnlyList<GoalModel> Predecessors { get; init; }
    public required GoalModel? Parent { get; init; }
    public Dictionary<GoalId, GoalState> Ended { get; } = [];

    private IEnumerable<GoalModel> Open => Predecessors.Where(other => !Ended.ContainsKey(other.Id));

    public bool IsHeld => Open.Any();

    /// <summary>Something it comes after did not complete, and it does not want to go on without.</summary>
    public bool IsBroken => Extras.OnFailedGoal != CascadePolicy.GoOn && (Extras.After ?? []).Any(dependency =>
        dependency.Condition == GoalCondition.Completed && Ended.TryGetValue(dependency.On, out var ended) && ended != GoalState.Completed);

    private bool IsOrphaned => Parent is { State: GoalState.Cancelled } && Extras.OnCancelledParent != CascadePolicy.GoOn;

    public GoalState State { get; set; } = GoalState.Active;
    public long Revision { get; set; }
    public long LastSeq { get; set; }
    public ReadOnlyMemory<byte> Result { get; set; }
    public Dictionary<TaskId, TaskModel> Tasks { get; } = [];

    /// <summary>By the seq of the entry after which it was so: a reply carries that seq and has to agree.</summary>
    public Dictionary<long, GoalMoment> History { get; } = [];

    public TaskModel? Find(TaskId task) => Tasks.GetValueOrDefault(task);

    public void Add(TaskModel task)
    {
        Tasks.Add(task.Id, task);
        _counts[(int)task.State]++;
    }

    public void Remove(TaskModel task)
    {
        Tasks.Remove(task.Id);
        _counts[(int)task.State]--;
    }

    public void Move(TaskModel task, TaskState to)
    {
        _counts[(int)task.State]--;
        _counts[(int)to]++;
        task.State = to;
    }

    public int Count(TaskState state) => _counts[(int)state];

    public TaskCounts Counts => new(
        Count(TaskState.Pending), Count(TaskState.Ready), Count(TaskState.Running), Count(TaskState.Completed), Count(TaskState.Cancelled), Count(TaskState.Dead));

    /// <summary>Nothing of it will move again by itself.</summary>
    public bool IsAtRest => State != GoalState.Active || (!IsOrphaned && (IsHeld ? Open.All(other => other is { State: GoalState.Active, IsAtRest: true }) : IsStuck));

    /// <summary>Only a person can move it on.</summary>
    public bool IsStuck => Count(TaskState.Ready) == 0 && Count(TaskState.Running) == 0
        && ((policy == DeadTaskPolicy.Wait && Count(TaskState.Dead) > 0) || Tasks.Values.Any(task => task is { State: TaskState.Pending, AwaitsPerson: true }));

    public bool IsMet(Dependency dependency)
    {
        var on = Find(dependency.On)!;
        if (dependency.Kind == DependencyKind.Ended)
            return on.State.IsFinal();
        if (dependency.Kind == DependencyKind.Passed && on.IsSkipped)
            return true;
        return on.State == TaskState.Completed && (dependency.Kind != DependencyKind.Outcome || on.Outcome == dependency.Outcome);
    }

    public bool IsHopeless(Dependency dependency) => IsDoom(dependency) || IsDetour(dependency);

    /// <summary>A failure stands in the way.</summary>
    public bool IsDoom(Dependency dependency) => dependency.Kind != DependencyKind.Ended && Find(dependency.On) is { } on
        && ((on.State == TaskState.Cancelled && !on.IsSkipped) || (on.State == TaskState.Dead && policy == DeadTaskPolicy.Doom));

    /// <summary>Another way was taken.</summary>
    public bool IsDetour(Dependency dependency) => dependency.Kind != DependencyKind.Ended && !IsMet(dependency) && Find(dependency.On) is { } on
        && (on.IsSkipped || (on.State == TaskState.Completed && dependency.Kind == DependencyKind.Outcome) || (on.State == TaskState.Dead && policy == DeadTaskPolicy.Skip));

    /// <summary>Nothing waits for them.</summary>
    public IEnumerable<TaskModel> Last => Tasks.Values.Where(task => !Tasks.Values.Any(other => other.After.Any(dependency => dependency.On == task.Id)));

    /// <summary>Depth first from one task, the naive way.</summary>
    public bool WaitsForItself(TaskModel task)
    {
        var seen = new HashSet<TaskId>();
        var open = new Stack<TaskId>(task.After.Select(dependency => dependency.On));
        while (open.TryPop(out var next))
        {
            if (next == task.Id)
                return true;
            if (seen.Add(next) && Find(next) is { } node)
                foreach (var dependency in node.After)
                    open.Push(dependency.On);
        }
        return false;
    }
}
