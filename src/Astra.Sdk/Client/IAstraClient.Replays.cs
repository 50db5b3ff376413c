namespace Astra.Sdk;

// Goals once more.
public partial interface IAstraClient
{
    /// <summary>Reproduces a goal that has ended from its recordings.</summary>
    Task<ReplayView> ReplayGoalAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>A new goal that runs this one again from a step on.</summary>
    /// <param name="at">The name of the step, or the id of its task.</param>
    Task<GoalView> ForkGoalAsync(Guid id, string at, CancellationToken cancellationToken = default);
}
