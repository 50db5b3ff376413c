namespace Astra.Sdk;

/// <summary>A goal that the tables refuse. It goes on, its owner answers for it, and lists do not show what has become of it.</summary>
/// <param name="Title">As far as the tables know it.</param>
/// <param name="Reason">What the tables said.</param>
public sealed record QuarantinedGoalView(Guid GoalId, string? Title, string Reason, DateTimeOffset At);
