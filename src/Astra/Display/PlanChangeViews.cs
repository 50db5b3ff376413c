using Astra.Sdk;

namespace Astra.Display;

/// <summary>What an edit of a plan does, and what has changed between two revisions, as a person reads it.</summary>
internal static class PlanChangeViews
{
    /// <param name="change">Null when whoever had the plan in an editor left it as it was.</param>
    public static void WriteEdited(TextWriter @out, Guid goal, PlanChange? change, bool json)
    {
        if (change is not null)
            Write(@out, change, isDryRun: false, json);
        else if (json)
            JsonOutput.Write(@out, new { goalId = goal, edits = Array.Empty<PlanEdit>() });
        else
            @out.WriteLine("Nothing was changed.");
    }

    public static void Write(TextWriter @out, PlanChange change, bool isDryRun, bool json)
    {
        if (json)
        {
            JsonOutput.Write(@out, change);
            return;
        }
        if (change.Edits.Count == 0)
        {
            @out.WriteLine($"Nothing to change; the plan is at revision {change.Revision}.");
            return;
        }
        foreach (var edit in change.Edits)
            @out.WriteLine($"  {Describe(edit)}");
        @out.WriteLine(isDryRun ? $"These {change.Edits.Count} edits would make revision {change.Revision}; nothing was changed." : $"Revision {change.Revision}, by {change.Edits.Count} edits.");
    }

    public static void Write(TextWriter @out, PlanDiff diff)
    {
        foreach (var added in diff.Added)
            @out.WriteLine($"+ {added.Name}  {added.Executor}{After(added.After)}");
        foreach (var removed in diff.Removed)
            @out.WriteLine($"- {removed.Name}  {removed.Executor}{After(removed.After)}");
        foreach (var changed in diff.Changed)
            foreach (var field in changed.Fields)
                @out.WriteLine($"~ {changed.Name}  {field.Field}: {field.From?.GetRawText() ?? "nothing"} -> {field.To?.GetRawText() ?? "nothing"}");
        @out.WriteLine($"Revision {diff.From} to {diff.To}: {diff.Added.Count} added, {diff.Removed.Count} removed, {diff.Changed.Count} changed.");
    }

    private static string Describe(PlanEdit edit) => edit switch
    {
        AddStep add => $"add {add.Name}  {add.Executor}{After(add.After)}",
        ReplaceStep replace => $"replace {replace.Name}  {replace.Executor}",
        RemoveStep remove => $"remove {remove.Name}",
        RewireStep rewire => $"rewire {rewire.Name}{After(rewire.After)}",
        ExtendStep extend => $"extend {extend.Name}{After(extend.After)}",
        SuspendStep suspend => $"suspend {suspend.Name}{After(suspend.After)}",
        PrioritiseStep prioritise => $"prioritise {prioritise.Name} {prioritise.Priority}",
        CancelStep cancel => $"cancel {cancel.Name}",
        CancelSubtree cancel => $"cancel_subtree {cancel.Name}",
        AttachGroup attach => $"attach {attach.Group} ({attach.Steps.Count} steps)",
        CancelGroup cancel => $"cancel_group {cancel.Group}",
        _ => edit.ToString(),
    };

    private static string After(IReadOnlyList<StepDependency> after) =>
        after.Count == 0 ? "" : $"  after {string.Join(", ", after.Select(dependency => dependency.When is { } when ? $"{dependency.Step} ({when})" : dependency.OnlyCompleted ? dependency.Step : $"{dependency.Step} (ended)"))}";
}
