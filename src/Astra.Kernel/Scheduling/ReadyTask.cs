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
    public required TaskClass Class { get; init; }
    public required int Priority { get; init; }
    public required TimeSpan LeaseDuration { get; init; }

    /// <summary>When the next attempt may be made, after one that failed.</summary>
    public required DateTimeOffset? DueAt { get; init; }

    /// <summary>The longest that it waits for that from now on, whatever the calendar says.</summary>
    public TimeSpan RetryDelayMax { get; init; }

    /// <summary>When the first one may be made.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Since when it could have run, on the node's monotonic clock; the scheduler's alone.</summary>
    public TimeSpan? WaitingSince { get; set; }
}

/// <summary>What decides where and whether a task of an agent can run now: tasks of one class stand in one line.</summary>
internal readonly record struct TaskClass(string Executor, string? Queue, string? Requires)
{
    private const string ToolPrefix = "tool:";

    /// <summary>The tool's name, whichever version, or null.</summary>
    public string? Tool => !Executor.StartsWith(ToolPrefix, StringComparison.Ordinal) ? null
        : Executor.IndexOf('@') is var at and > 0 ? Executor[ToolPrefix.Length..at] : Executor[ToolPrefix.Length..];
}
