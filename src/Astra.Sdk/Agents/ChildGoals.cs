using System.Text.Json;

namespace Astra.Sdk;

/// <summary>A goal that an agent submits for an agent.</summary>
/// <param name="Agent">Who plans and does it.</param>
public sealed record AgentGoal(string Agent)
{
    public string? Title { get; init; }

    public JsonElement? Input { get; init; }

    /// <summary>-100 to 100; higher runs earlier among the same agent's goals.</summary>
    public int Priority { get; init; }

    /// <summary>What becomes of it when the goal that it is submitted for is cancelled: cancelled too, unless it goes on.</summary>
    public CascadePolicy? OnCancelledParent { get; init; }
}

/// <summary>Where an attempt submits goals for other agents.</summary>
public interface IChildGoals
{
    /// <param name="name">The same for every attempt at the task that means this goal: it is submitted once.</param>
    /// <returns>The goal's id. Durable when it returns.</returns>
    /// <exception cref="GoalRefusedException">It was not taken.</exception>
    ValueTask<Guid> SubmitAsync(string name, AgentGoal goal, CancellationToken cancellationToken);
}

/// <summary>Why a goal for another agent was not taken.</summary>
public enum GoalRefusal
{
    /// <summary>The goal itself is wrong, and would be the next time.</summary>
    Invalid,

    /// <summary>The agent submits faster than it may, or the tenant has as many goals as it may. Try again after a while.</summary>
    TooMany,

    /// <summary>The goal that it would be submitted for has as many ancestors as a goal may.</summary>
    TooDeep,

    /// <summary>The attempt is over, and has no authority any more.</summary>
    Late,

    /// <summary>Nobody knows whether it was taken; the same name again is harmless.</summary>
    Unavailable,
}

/// <summary>A goal for another agent was not taken. A step that lets this through is tried again when that may help, and is
/// a dead letter when it would not.</summary>
public sealed class GoalRefusedException(GoalRefusal refusal, string reason, TimeSpan? retryAfter = null) : Exception(reason)
{
    public GoalRefusal Refusal => refusal;

    /// <summary>When it is worth another try.</summary>
    public TimeSpan? RetryAfter => retryAfter;

    public bool IsPassing => refusal is GoalRefusal.TooMany or GoalRefusal.Unavailable or GoalRefusal.Late;
}
