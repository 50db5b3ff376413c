namespace Astra.Sdk;

/// <summary>How a goal has to end for another that comes after it: completed, or whichever way.</summary>
public enum GoalCondition { Completed, Ended }

/// <summary>What becomes of a goal when another goal did not end as it should have.</summary>
public enum CascadePolicy { Cancel, GoOn }

/// <summary>A goal that has to end before the one that is submitted begins. It exists already, in the same tenant; that is
/// why goals never wait in a circle.</summary>
public sealed record GoalAfter(Guid Goal, GoalCondition When = GoalCondition.Completed);

/// <summary>A goal that another is the parent of, in as many words as a list of them needs.</summary>
public sealed record ChildGoal(Guid Id, string? Agent, string Title, GoalState State);

/// <param name="Ended">How it ended; null while it is waited for.</param>
public sealed record GoalAfterView(Guid Goal, GoalCondition When, GoalState? Ended = null);
