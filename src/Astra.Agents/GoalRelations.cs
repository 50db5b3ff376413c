using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using KernelCascade = Astra.Kernel.Tasks.CascadePolicy;
using KernelCondition = Astra.Kernel.Tasks.GoalCondition;
using WireCascade = Astra.Sdk.CascadePolicy;
using WireCondition = Astra.Sdk.GoalCondition;

namespace Astra.Agents;

/// <summary>What a submitted goal has to do with other goals, as the kernel takes it.</summary>
internal static class GoalRelations
{
    /// <summary>The submission's relations, added to what else it is more than a plan.</summary>
    public static GoalExtras With(this GoalExtras extras, GoalSubmission submission) => extras with
    {
        After = submission.After is { Count: > 0 } after ? [.. after.Select(other => new GoalDependency(new GoalId(other.Goal), ToKernel(other.When)))] : null,
        OnFailedGoal = ToKernel(submission.OnFailedGoal),
        Parent = submission.Parent is { } parent ? new GoalId(parent) : null,
        OnCancelledParent = ToKernel(submission.OnCancelledParent),
    };

    public static string? Refuse(GoalSubmission submission) =>
        submission.After?.Any(other => other is null) == true ? "One of the goals in `after` is null; each names a goal and, if it need not complete, `when`."
        : submission.OnFailedGoal is not null && submission.After is not { Count: > 0 } ? "`onFailedGoal` says what becomes of a goal that comes after others; this one names none in `after`."
        : submission.OnCancelledParent is not null && submission.Parent is null ? "`onCancelledParent` says what becomes of a child; this goal names no `parent`."
        : null;

    public static KernelCascade? ToKernel(WireCascade? policy) => policy switch
    {
        null => null,
        WireCascade.GoOn => KernelCascade.GoOn,
        _ => KernelCascade.Cancel,
    };

    private static KernelCondition ToKernel(WireCondition condition) => condition == WireCondition.Ended ? KernelCondition.Ended : KernelCondition.Completed;
}
