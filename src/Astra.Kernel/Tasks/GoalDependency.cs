namespace Astra.Kernel.Tasks;

/// <summary>How a goal has to end for another that comes after it. On disk; see FrozenNumbersTests.</summary>
public enum GoalCondition : byte
{
    /// <summary>It completed.</summary>
    Completed = 1,

    /// <summary>It ended, whichever way.</summary>
    Ended = 2,
}

/// <summary>What becomes of a goal when another goal did not end as it should have. On disk; see FrozenNumbersTests.</summary>
public enum CascadePolicy : byte
{
    /// <summary>It is cancelled, with the reason.</summary>
    Cancel = 1,

    /// <summary>It goes on as if nothing had happened.</summary>
    GoOn = 2,
}

/// <summary>A goal that has to end before another one begins. It is named when that other is submitted and never later, and
/// only what exists can be named: what waits is always younger than what it waits for, so goals never wait in a circle.</summary>
/// <param name="Ended">How it ended, once the goal that waits has taken note of it; what becomes of it later is its own
/// affair.</param>
public readonly record struct GoalDependency(GoalId On, GoalCondition Condition, GoalState? Ended = null)
{
    public bool IsOpen => Ended is null;

    public bool IsBroken => Condition == GoalCondition.Completed && Ended is { } ended && ended != GoalState.Completed;
}

/// <summary>What another shard says of one of its goals.</summary>
/// <param name="Depth">How many ancestors it has.</param>
internal sealed record GoalStanding(TenantId Tenant, GoalId Goal, GoalState State, string? Reason, int Depth)
{
    public static GoalStanding Of(GoalRow row) => new(row.Tenant, row.Id, row.State, row.Reason, row.Extras.Depth);
}
