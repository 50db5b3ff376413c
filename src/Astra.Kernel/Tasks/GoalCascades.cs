using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>What becomes of a goal when another one has ended: one that it comes after, or its parent.</summary>
internal sealed class GoalCascades(IRecorder recorder, GoalDecisions decisions, KernelLimits limits)
{
    /// <summary>A goal that this one comes after has ended. Heard twice it says nothing new.</summary>
    public void OnPredecessorEnded(Goal goal, GoalStanding ended)
    {
        if (goal.State != GoalState.Active || goal.Extras.After?.Any(dependency => dependency.On == ended.Goal && (dependency.IsOpen || Mutants.PredecessorHeardTwice)) != true)
            return;
        recorder.RecordGoal(goal, new KernelEvent.PredecessorEnded(ended.Goal, ended.State));
        var isBroken = goal.Extras.After!.Any(dependency => dependency.On == ended.Goal && dependency.IsBroken);
        if (isBroken && goal.Extras.OnFailedGoal is null or CascadePolicy.Cancel)
            Cancel(goal, $"It comes after goal {ended.Goal}, which {HowItEnded(ended)}");
        else if (!goal.Extras.IsHeld)
            decisions.Begin(goal);
    }

    /// <summary>Its parent was cancelled: nobody waits for it any more, unless it was submitted to go on alone.</summary>
    public void OnParentEnded(Goal goal, GoalStanding ended)
    {
        if (goal.State == GoalState.Active && goal.Extras.Parent == ended.Goal && ended.State == GoalState.Cancelled && !Mutants.OrphanGoesOn && goal.Extras.OnCancelledParent is null or CascadePolicy.Cancel)
            Cancel(goal, $"Its parent, goal {ended.Goal}, {HowItEnded(ended)}");
    }

    // A reason is handed on from goal to goal and must not grow with each.
    private void Cancel(Goal goal, string reason) => decisions.CancelGoal(goal, PlainText.Clean(reason, limits.ReasonLengthMax));

    private static string HowItEnded(GoalStanding ended) =>
        $"{(ended.State == GoalState.Cancelled ? "was cancelled" : "has failed")}{(ended.Reason is { } reason ? $": {reason}" : ".")}";
}
