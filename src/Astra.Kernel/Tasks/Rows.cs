using Astra.Kernel.Approvals;

namespace Astra.Kernel.Tasks;

/// <summary>A goal as of one moment: what a read answers, what the projection writes, what a restart reads back.</summary>
public sealed record GoalRow
{
    public required TenantId Tenant { get; init; }
    public required GoalId Id { get; init; }
    public required string? Agent { get; init; }
    public required string Title { get; init; }
    public required ReadOnlyMemory<byte> Input { get; init; }
    public required int Priority { get; init; }
    public required DeadTaskPolicy DeadTaskPolicy { get; init; }
    public required GoalState State { get; init; }

    /// <summary>The version of the graph; every edit raises it by one.</summary>
    public required long Revision { get; init; }

    /// <summary>The latest entry of the log that is about this goal.</summary>
    public required long LastSeq { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public ReadOnlyMemory<byte> Result { get; init; }
    public string? Reason { get; init; }
    public string? IdempotencyKey { get; init; }
    public ulong RequestDigest { get; init; }
    public required string SubmittedBy { get; init; }
    public required TaskCounts Counts { get; init; }
    public GoalExtras Extras { get; init; } = GoalExtras.None;
}

/// <summary>The version of a goal's graph that an edit would make.</summary>
public sealed record PlanRevision(long Revision);

/// <summary>How many of a goal's tasks are in each state.</summary>
public readonly record struct TaskCounts(int Pending, int Ready, int Running, int Completed, int Cancelled, int Dead)
{
    public int Open => Pending + Ready + Running;
    public int Total => Open + Completed + Cancelled + Dead;
}

/// <summary>A task as of one moment.</summary>
public sealed record TaskRow
{
    public required TenantId Tenant { get; init; }
    public required GoalId Goal { get; init; }
    public required TaskId Id { get; init; }
    public required TaskSpec Spec { get; init; }
    public required IReadOnlyList<Dependency> After { get; init; }
    public required TaskState State { get; init; }

    /// <summary>The number of the latest attempt; 0 before the first. Never repeats.</summary>
    public required int Attempt { get; init; }

    /// <summary>Attempts that failed since the task was added or last redriven.</summary>
    public required int FailureCount { get; init; }

    /// <summary>Leases lost since the task was added or last redriven: workers that vanished while they had it.</summary>
    public required int ExpiryCount { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? DueAt { get; init; }
    public DateTimeOffset? StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }
    public WorkerId? Worker { get; init; }
    public string? WorkerName { get; init; }

    /// <summary>The incarnation of the node whose process the worker lives in; null for a worker that connects from
    /// elsewhere. When that process is gone, so is the attempt, and nobody waits for the lease.</summary>
    public Guid? WorkerProcess { get; init; }
    public ReadOnlyMemory<byte> Output { get; init; }
    public Failure? Failure { get; init; }

    /// <summary>Why it was cancelled.</summary>
    public string? Reason { get; init; }

    /// <summary>The task whose end doomed this one; a redrive of that one brings this one back.</summary>
    public TaskId? DoomedBy { get; init; }

    /// <summary>It waits for people to agree to it, whatever else it waits for.</summary>
    public bool AwaitsApproval => State == TaskState.Pending && Approval.IsMissing(Id, Spec);
}

/// <summary>A task as somebody asks for it: with what the tasks it waits for are called, in the order of its dependencies.</summary>
public sealed record TaskReading(TaskRow Task, IReadOnlyList<string> AfterNames);
