namespace Astra.Sdk;

/// <summary>What a limit is about.</summary>
public enum LimitScope { Tenant, Agent, Tool, Queue }

/// <summary>PUT /api/v1/limits: how many tasks run at once, start in a second, or start in a minute.</summary>
public sealed record LimitView
{
    public required LimitScope Scope { get; init; }

    /// <summary>Of the agent, tool or queue; left out for the tenant.</summary>
    public string? Name { get; init; }

    public int? Concurrency { get; init; }
    public int? PerSecond { get; init; }
    public int? PerMinute { get; init; }
}

/// <summary>Twice the weight is twice the slot time where there is not enough for all; 100 is what everyone has.</summary>
public sealed record WeightRequest(int Weight);

/// <param name="Agent">Null for the tenant itself.</param>
public sealed record WeightView(string? Agent, int Weight);

public sealed record PauseView(string By, string? Reason, DateTimeOffset At);

public sealed record PausedAgentView(string Agent, PauseView Pause);

/// <summary>GET /api/v1/limits: everything the scheduler was told about the tenant.</summary>
public sealed record ControlsView(IReadOnlyList<LimitView> Limits, IReadOnlyList<WeightView> Weights, IReadOnlyList<PausedAgentView> PausedAgents);

/// <summary>POST /api/v1/drain.</summary>
public sealed record DrainRequest(bool Draining = true);

/// <summary>What becomes of times that passed while nobody could fire.</summary>
public enum MisfirePolicy { Skip, Once, All }

/// <summary>POST /api/v1/schedules: a goal that is submitted again and again.</summary>
public sealed record ScheduleRequest
{
    /// <summary>Unique in the tenant.</summary>
    public required string Name { get; init; }

    /// <summary>Five cron fields, `every 5m`, or `at 2031-02-03T04:05:06Z`.</summary>
    public required string When { get; init; }

    /// <summary>For cron fields and for moments that say none.</summary>
    public string TimeZone { get; init; } = "UTC";

    public MisfirePolicy Misfire { get; init; } = MisfirePolicy.Once;
    public required GoalSubmission Goal { get; init; }
}

public sealed record ScheduleView
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required string When { get; init; }
    public required string TimeZone { get; init; }
    public required MisfirePolicy Misfire { get; init; }
    public required GoalSubmission Goal { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Null when there is no next time.</summary>
    public DateTimeOffset? NextAt { get; init; }

    public DateTimeOffset? LastAt { get; init; }
    public Guid? LastGoalId { get; init; }
    public string? LastProblem { get; init; }
    public required long FiredCount { get; init; }
    public required long MissedCount { get; init; }
    public string? PausedBy { get; init; }
}
