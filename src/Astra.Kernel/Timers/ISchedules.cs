namespace Astra.Kernel.Timers;

/// <summary>Schedules as rows. Whoever changes one says which version it has read, and only one of two gets in.</summary>
public interface ISchedules
{
    /// <summary>False when the tenant has one of that name.</summary>
    ValueTask<bool> AddAsync(Schedule schedule, CancellationToken cancellationToken);

    ValueTask<Schedule?> FindAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken);

    /// <summary>By name.</summary>
    ValueTask<IReadOnlyList<Schedule>> ListAsync(TenantId tenant, CancellationToken cancellationToken);

    /// <summary>False when it is gone or has another version; what is written has the next one.</summary>
    ValueTask<bool> UpdateAsync(Schedule schedule, CancellationToken cancellationToken);

    /// <summary>False when there is none.</summary>
    ValueTask<bool> RemoveAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken);

    /// <summary>Those of every tenant that are not paused and due by then, the earliest first.</summary>
    ValueTask<IReadOnlyList<Schedule>> ReadDueAsync(DateTimeOffset by, int countMax, CancellationToken cancellationToken);

    /// <summary>Those of every tenant that are not paused and due after then: what a clock that ran ahead may have left.</summary>
    ValueTask<IReadOnlyList<Schedule>> ReadLaterAsync(DateTimeOffset than, ScheduleId? after, int countMax, CancellationToken cancellationToken);
}

/// <summary>Carries its shard like every id: the owner of the shard fires it.</summary>
public readonly record struct ScheduleId(Guid Value)
{
    public ShardId Shard => ShardId.OfId(Value);
    public override string ToString() => Value.ToString();
}

/// <summary>What becomes of times that passed while nobody could fire. On disk; see FrozenNumbersTests.</summary>
public enum MisfirePolicy : byte
{
    /// <summary>They are left out.</summary>
    Skip = 1,

    /// <summary>The last of them is made up for.</summary>
    Once = 2,

    /// <summary>All of them are, the latest hundred at most.</summary>
    All = 3,
}

public sealed record Schedule
{
    public required TenantId Tenant { get; init; }
    public required ScheduleId Id { get; init; }

    /// <summary>Unique in its tenant; decides the shard.</summary>
    public required string Name { get; init; }

    /// <summary>As <see cref="Recurrence"/> reads it.</summary>
    public required string When { get; init; }

    public required string TimeZone { get; init; }
    public required MisfirePolicy Misfire { get; init; }

    /// <summary>The goal it submits, for whoever reads submissions; the kernel does not.</summary>
    public required ReadOnlyMemory<byte> Submission { get; init; }

    public required string CreatedBy { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null when there is no next time.</summary>
    public DateTimeOffset? NextAt { get; init; }

    /// <summary>The time it fired for last, and the goal of that.</summary>
    public DateTimeOffset? LastAt { get; init; }

    public GoalId? LastGoal { get; init; }

    /// <summary>Why the last firing was refused for good.</summary>
    public string? LastProblem { get; init; }

    public long FiredCount { get; init; }

    /// <summary>Times left out by the misfire policy.</summary>
    public long MissedCount { get; init; }

    public string? PausedBy { get; init; }
    public long Version { get; init; } = 1;
}
