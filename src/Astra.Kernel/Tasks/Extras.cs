namespace Astra.Kernel.Tasks;

/// <summary>
/// What most tasks do not have. In the log and in the rows it is one list of tagged fields, empty for most, so that
/// another field needs neither another codec version nor another column; see ExtrasCodec.
/// </summary>
public sealed record TaskExtras
{
    public static TaskExtras None { get; } = new();

    /// <summary>It is not handed out before this.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Worth nothing after this: what has not ended by then becomes a dead letter.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>The tenant's queue it stands in, for the limits that are set on that.</summary>
    public string? Queue { get; init; }

    /// <summary>What a worker must offer beside the executor's label; see <see cref="Capabilities"/>.</summary>
    public string? Requires { get; init; }
}

/// <summary>What most goals do not have. Unlike a task's, some of it changes while the goal runs.</summary>
public sealed record GoalExtras
{
    public static GoalExtras None { get; } = new();

    /// <summary>The goal whose task asked for this one.</summary>
    public GoalId? Parent { get; init; }

    /// <summary>Nothing of the goal is handed out while this is here; attempts that run go on to their end.</summary>
    public GoalPause? Pause { get; init; }
}

/// <param name="By">Who asked for it.</param>
public sealed record GoalPause(string By, string? Reason, DateTimeOffset At);
