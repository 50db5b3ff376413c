using Astra.Kernel.Approvals;
using Astra.Kernel.Effects;

namespace Astra.Kernel.Tasks;

/// <summary>One task in memory, owned by its shard. Everything here can be rebuilt from the log, but for <see cref="Lease"/>.</summary>
internal sealed class TaskNode(TaskId id, TaskSpec spec, DateTimeOffset createdAt)
{
    public TaskId Id { get; } = id;
    public TaskSpec Spec
    {
        get;
        set => (field, IsReshaped) = (value, true);
    } = spec;

    public DateTimeOffset CreatedAt { get; } = createdAt;

    public TaskState State { get; set; }
    public int Attempt { get; set; }
    public int FailureCount { get; set; }
    public int ExpiryCount { get; set; }
    public DateTimeOffset? DueAt { get; set; }
    public DateTimeOffset? StartedAt { get; set; }
    public DateTimeOffset? EndedAt { get; set; }
    public WorkerId? Worker { get; set; }
    public string? WorkerName { get; set; }
    public Guid? WorkerProcess { get; set; }
    public ReadOnlyMemory<byte> Output { get; set; }
    public Failure? Failure { get; set; }
    public string? Reason { get; set; }
    public TaskId? DoomedBy { get; set; }

    /// <summary>Dependencies that are not met yet. A task is Ready only when this is 0; claims rely on it and do not look again.</summary>
    public int OpenDependencies { get; set; }

    /// <summary>An attempt that acts on the outside world right now, or was lost while it did.</summary>
    public bool HasOpenIntent => Spec.Extras.Effect is { State: EffectState.Intended };

    /// <summary>It waits for a person to find out what became of its effect. Counts as an open dependency.</summary>
    public bool AwaitsResolution => Spec.Extras.Effect is { State: EffectState.Unknown };

    /// <summary>It waits for people to agree to it. Counts as an open dependency.</summary>
    public bool AwaitsApproval => Approval.IsMissing(Id, Spec) && !Mutants.ApprovalSkipped;

    /// <summary>Its goal waits for another goal. Counts as an open dependency.</summary>
    public bool IsHeld { get; set; }

    public List<Edge> After { get; } = [];
    public List<Edge> Dependents { get; } = [];

    /// <summary>Ascends along every edge; see <see cref="TaskGraph"/>.</summary>
    public int Order { get; set; }

    /// <summary>Changed since the projection last took its image.</summary>
    public bool IsDirty { get; set; }

    /// <summary>What it is, or what it waits for, has changed since then.</summary>
    public bool IsReshaped { get; set; }

    /// <summary>Whether the image before was a plain row; null when there was none.</summary>
    public bool? WasPlain { get; set; }

    /// <summary>See <see cref="TaskRowChange"/>. What a row shows beyond its moves is named here, or belongs to the spec.</summary>
    public bool IsPlain => FailureCount == 0 && ExpiryCount == 0 && DueAt is null && Failure is null && Reason is null && DoomedBy is null && Spec.Extras.Approval is null;

    /// <summary>Who runs it and until when, on this node's monotonic clock.</summary>
    public TaskLease? Lease { get; set; }

    public bool IsSkipped => Spec.Extras.IsSkipped;

    /// <summary>A worker has had it, or it has ended: its place is history.</summary>
    public bool HasStarted => Attempt > 0 || State == TaskState.Running || State.IsFinal();

    /// <summary>What an edge that begins here makes of the task at its end.</summary>
    public DependencyVerdict Judge(Edge edge, DeadTaskPolicy policy) =>
        DependencyRules.Judge(edge.Kind, edge.Outcome, State, Spec.Extras.Outcome, IsSkipped, policy);

    /// <summary>Whether it is met is the same under every policy.</summary>
    public bool IsMet(Edge edge) => Judge(edge, DeadTaskPolicy.Wait) == DependencyVerdict.Met;
}

/// <param name="Node">The other end, whichever that is.</param>
internal readonly record struct Edge(TaskNode Node, DependencyKind Kind, string? Outcome = null)
{
    public Dependency ToDependency() => new(Node.Id, Kind, Outcome);
}
