using System.Text.Json;
using Astra.Kernel;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>Two revisions of a plan, step by step. How far the steps had come is not a difference between plans, but that one
/// was cancelled is.</summary>
internal static class PlanDifferences
{
    public static PlanDiff Between(GoalSnapshot from, GoalSnapshot to)
    {
        var before = WireMapping.ToView(from, isInList: false).Tasks.ToDictionary(task => task.Name, StringComparer.Ordinal);
        var after = WireMapping.ToView(to, isInList: false).Tasks.ToDictionary(task => task.Name, StringComparer.Ordinal);
        return new PlanDiff(
            to.Goal.Id.Value, from.Goal.Revision, to.Goal.Revision,
            [.. after.Values.Where(task => !before.ContainsKey(task.Name))],
            [.. before.Values.Where(task => !after.ContainsKey(task.Name))],
            [.. after.Values.Where(task => before.ContainsKey(task.Name))
                .Select(task => new StepChange(task.Name, [.. Fields(before[task.Name], task)])).Where(change => change.Fields.Count > 0)]);
    }

    private static IEnumerable<FieldChange> Fields(TaskView before, TaskView after)
    {
        var fields = new (string Name, object? Before, object? After)[]
        {
            ("executor", before.Executor, after.Executor),
            ("kind", before.Kind, after.Kind),
            ("input", before.Input, after.Input),
            ("after", before.After, after.After),
            ("priority", before.Priority, after.Priority),
            ("attemptCountMax", before.AttemptCountMax, after.AttemptCountMax),
            ("group", before.Group, after.Group),
            ("cancelled", before.State == Sdk.TaskState.Cancelled ? before.Reason : null, after.State == Sdk.TaskState.Cancelled ? after.Reason : null),
        };
        foreach (var (name, was, now) in fields)
        {
            var (one, other) = (AstraJson.ToElement(was), AstraJson.ToElement(now));
            if (!JsonElement.DeepEquals(one, other))
                yield return new FieldChange(name, OrNothing(one), OrNothing(other));
        }
    }

    private static JsonElement? OrNothing(JsonElement element) => element.ValueKind == JsonValueKind.Null ? null : element;
}
