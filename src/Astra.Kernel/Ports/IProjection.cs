using Astra.Kernel.Tasks;

namespace Astra.Kernel;

/// <summary>
/// The rows people query, behind the log. Each shard's watermark advances with its rows, so that the tables at the
/// watermark are a complete snapshot: start-up is snapshot + tail.
/// </summary>
public interface IProjection
{
    /// <summary>Upserts the rows and the watermarks of all shards in one transaction, fenced by epoch like the log.</summary>
    ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken);

    /// <summary>The active goals of these shards with all their tasks, and each shard's watermark. One snapshot per
    /// shard, in the order asked; set-based, because a start asks for 4,096 of them.</summary>
    ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken);

    /// <summary>One goal with its tasks as of the shard's watermark, finished or not.</summary>
    ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken);

    /// <summary>One goal without its tasks, finished or not.</summary>
    ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken);

    /// <summary>The goal that was submitted under an idempotency key, finished or not.</summary>
    ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken);

    /// <summary>The goal that a task belongs to, finished or not.</summary>
    ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken);

    /// <summary>Newest first. A cursor is the id of the last goal of the page before.</summary>
    ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken);

    /// <summary>The goals whose parent a goal is, newest first. A cursor is the id of the last goal of the page before.</summary>
    ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken);

    /// <summary>Goals in quarantine that nobody has given up, the latest first.</summary>
    ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken);

    /// <summary>Newest first. A cursor is the id of the last task of the page before.</summary>
    /// <param name="fingerprint">Only dead letters of this cause; null for all.</param>
    ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken);

    /// <summary>Dead letters by cause, the one with the latest death first.</summary>
    ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken);

    /// <summary>Deaths by hour, kind and executor since an instant; the latest hour first, and in it what died most. A death
    /// counts in its hour for as long as it is kept, also after a replay: it is something that happened, not a state.</summary>
    ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken);

    /// <summary>Tasks that wait for a person's word on their effect, newest first.</summary>
    ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken);

    /// <summary>Tasks that wait for people's votes, newest first.</summary>
    ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken);
}

/// <param name="Watermark">The rows are the shard's state as of this entry of its log.</param>
public sealed record ShardProjection(
    ShardId Shard, Epoch Epoch, long Watermark, IReadOnlyList<GoalRow> Goals, IReadOnlyList<TaskRow> Tasks, IReadOnlyList<RemovedTask> Removed)
{
    /// <summary>What is known of each of <see cref="Tasks"/>, so that a store may write less. Empty when nothing is.</summary>
    public IReadOnlyList<TaskRowChange> Changes { get; init; } = [];

    /// <summary>Goals that leave quarantine with this image. All of their rows are in it; what there was of them goes.</summary>
    public IReadOnlyList<(TenantId Tenant, GoalId Goal)> Released { get; init; } = [];

    /// <summary>Goals that were given up in quarantine: their rows go, and they stay known as given up.</summary>
    public IReadOnlyList<(TenantId Tenant, GoalId Goal)> Discarded { get; init; } = [];
}

/// <summary>What has become of a task since its row was last written. A row is plain when it tells of nothing but
/// attempts: it never failed, waits for no due time and was not cancelled.</summary>
public enum TaskRowChange
{
    /// <summary>Anything may have changed.</summary>
    Whole,

    /// <summary>There is no row yet, and it is a plain one that nobody runs right now.</summary>
    Added,

    /// <summary>The row was plain and still is, and what the task is and what it waits for are as they were.</summary>
    Moved,
}

public readonly record struct RemovedTask(TenantId Tenant, TaskId Task);

/// <param name="IsFenced">The shard has a newer owner; nothing was written.</param>
/// <param name="Quarantined">Goals that the tables refuse; they never block others, and somebody has to look.</param>
public readonly record struct ProjectionOutcome(bool IsFenced, IReadOnlyList<QuarantinedGoal> Quarantined);

public readonly record struct QuarantinedGoal(GoalId Goal, string Reason);

public sealed record ShardSnapshot(ShardId Shard, long Watermark, IReadOnlyList<GoalSnapshot> Goals)
{
    /// <summary>Goals whose rows are not complete. What they are stands in the log.</summary>
    public IReadOnlyList<HeldBack> HeldBack { get; init; } = [];
}

/// <summary>A goal in quarantine, as a shard that is loaded needs to know it.</summary>
public readonly record struct HeldBack(TenantId Tenant, GoalId Goal, bool IsDiscarded);

/// <summary>A goal in quarantine, as people see it.</summary>
/// <param name="Title">As far as the tables know it.</param>
/// <param name="Reason">What the tables said.</param>
public sealed record QuarantineRow(GoalId Goal, string? Title, string Reason, DateTimeOffset At);

public sealed record GoalSnapshot(GoalRow Goal, IReadOnlyList<TaskRow> Tasks);
