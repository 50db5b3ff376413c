using Astra.Kernel.Tasks;
using Astra.Sdk;
using KernelCondition = Astra.Kernel.Tasks.GoalCondition;
using WireCondition = Astra.Sdk.GoalCondition;

namespace Astra.Gateway;

/// <summary>What goals have to do with each other, as the API shows it.</summary>
internal static class RelationMapping
{
    public static IReadOnlyList<GoalAfterView>? ToView(IReadOnlyList<GoalDependency>? after) =>
        after?.Select(other => new GoalAfterView(other.On.Value, other.Condition == KernelCondition.Ended ? WireCondition.Ended : WireCondition.Completed, other.Ended is { } ended ? WireMapping.ToWire(ended) : null)).ToList();
}
