using Astra.Kernel.Actors;

namespace Astra.Kernel.Scheduling;

/// <summary>A ready task as its shard offers it: committed, and described as far as the choice needs.</summary>
internal sealed record ReadyTask
{
    public required ShardId Shard { get; init; }
    public required Epoch Epoch { get; init; }
    public required ActorRef Owner { get; init; }
    public required TenantId Tenant { get; init; }
    public required string? Agent { get; init; }
    public required GoalId Goal { get; init; }
    public required TaskId Task { get; init; }
    public required int AttemptBefore { get; init; }
    public required string Executor { get; init; }
    public required int Priority { get; init; }
    public required TimeSpan LeaseDuration { get; init; }
    public required DateTimeOffset? DueAt { get; init; }

    /// <summary>Since when it could have run, on the node's monotonic clock; the scheduler's alone.</summary>
    public TimeSpan? WaitingSince { get; set; }
}
