using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// Edits of a plan as people and agents say them, turned into edits of the kernel's graph. The kernel knows tasks; that
/// a goal has a reflection which waits for whatever is added, and what an attached group is, is known here.
/// </summary>
public static class PlanEditing
{
    private const string CancelledByEdit = "Cancelled by an edit of the plan.";

    /// <summary>The kernel's edits, or why there are none.</summary>
    public static Answer<IReadOnlyList<GraphEdit>> ToGraph(IReadOnlyList<PlanEdit> edits) =>
        Check(edits) is { } refusal ? refusal : Answer.Of(ToKernel(edits));

    private static Refusal? Check(IReadOnlyList<PlanEdit> edits)
    {
        foreach (var edit in edits)
        {
            var refusal = edit switch
            {
                null => Invalid("One of the edits is null."),
                StepEdit step => CheckStep(step.Name, step.Executor, step.FanOut, step.Requires),
                AttachGroup attach => CheckGroup(attach),
                _ => null,
            };
            if (refusal is not null)
                return refusal;
            if (AfterOf(edit!).Any(dependency => string.IsNullOrEmpty(dependency.Step)))
                return Invalid("A dependency names the step it waits for, as in {\"step\": \"fetch\", \"onlyCompleted\": true}.");
        }
        return null;
    }

    private static Refusal? CheckStep(string name, string executor, IReadOnlyList<FanOut>? fanOut, IReadOnlyList<string>? requires)
    {
        if (!IsExecutor(executor))
            return Invalid($"Step {name} has the executor '{executor}'; it must be agent:NAME or tool:NAME[@VERSION].");
        if (requires is not null && Capabilities.Refuse(requires) is { } bad)
            return Invalid($"Step {name} requires something that cannot be a capability: {bad}");
        foreach (var part in fanOut ?? [])
        {
            if (part?.Step is not { } step || string.IsNullOrWhiteSpace(step.Name))
                return Invalid($"Step {name} fans out, and does not say into what: a fan-out has a step with a name.");
            if (part.Join == name)
                return Invalid($"Step {name} cannot be the join of its own fan-out; add a step that waits for it.");
            if (CheckStep(step.Name, step.Executor, step.FanOut, step.Requires) is { } refusal)
                return refusal;
        }
        return null;
    }

    private static Refusal? CheckGroup(AttachGroup attach)
    {
        if (string.IsNullOrWhiteSpace(attach.Group) || attach.Group.StartsWith('/') || attach.Group.EndsWith('/'))
            return Invalid("A group has a name, which neither begins nor ends with a slash.");
        if (attach.Steps is not { Count: > 0 })
            return Invalid($"The group {attach.Group} has no steps.");
        return Check(attach.Steps);
    }

    private static IEnumerable<StepDependency> AfterOf(PlanEdit edit) => edit switch
    {
        AddStep step => step.After,
        RewireStep step => step.After,
        ExtendStep step => step.After,
        SuspendStep step => step.After,
        AttachGroup attach => attach.After,
        ReflectAfter reflect => reflect.After,
        _ => [],
    };

    public static bool IsExecutor(string executor) =>
        executor.StartsWith("agent:", StringComparison.Ordinal) && executor.Length > "agent:".Length
        || executor.StartsWith("tool:", StringComparison.Ordinal) && executor.Length > "tool:".Length;

    private static IReadOnlyList<GraphEdit> ToKernel(IReadOnlyList<PlanEdit> edits)
    {
        if (edits.Count == 0)
            return [];
        var words = new HashSet<string>(StringComparer.Ordinal);
        var into = new List<GraphEdit>(edits.Count);
        foreach (var edit in edits)
        {
            if (edit is AttachGroup attach)
                Attach(attach, words, into);
            else
                into.Add(ToKernel(edit, words));
        }
        return into;
    }

    private static GraphEdit ToKernel(PlanEdit edit, HashSet<string> words) => edit switch
    {
        AddStep add => new GraphEdit.Add(ToSpec(add, words), ToKernel(add.After)),
        ReplaceStep replace => new GraphEdit.Replace(ToSpec(replace, words)),
        RemoveStep remove => new GraphEdit.Remove(remove.Name),
        RewireStep rewire => new GraphEdit.Rewire(rewire.Name, ToKernel(rewire.After)),
        ExtendStep extend => new GraphEdit.Extend(extend.Name, ToKernel(extend.After)),
        SuspendStep suspend => new GraphEdit.Suspend(suspend.Name, ToKernel(suspend.After)),
        PrioritiseStep prioritise => new GraphEdit.Prioritise(prioritise.Name, prioritise.Priority),
        CancelStep cancel => new GraphEdit.Cancel(cancel.Name, cancel.Reason ?? CancelledByEdit),
        CancelSubtree cancel => new GraphEdit.CancelSubtree(cancel.Name, cancel.Reason ?? CancelledByEdit),
        CancelGroup cancel => new GraphEdit.CancelGroup(cancel.Group, cancel.Reason ?? CancelledByEdit),
        ReflectAfter reflect => new GraphEdit.ExtendKind(AgentRunner.ReflectKind, ToKernel(reflect.After)),
        _ => throw new InvalidOperationException($"No such edit: {edit.GetType().Name}."),
    };

    /// <summary>A group is tasks whose names begin alike. Its first ones wait for what the group waits for, and what comes
    /// behind the group waits for its last ones.</summary>
    private static void Attach(AttachGroup attach, HashSet<string> words, List<GraphEdit> into)
    {
        var own = attach.Steps.Select(step => step.Name).ToHashSet(StringComparer.Ordinal);
        var waitedFor = attach.Steps.SelectMany(step => step.After).Select(after => after.Step).ToHashSet(StringComparer.Ordinal);
        foreach (var step in attach.Steps)
        {
            var after = step.After.Select(dependency => own.Contains(dependency.Step) ? dependency with { Step = NameIn(attach.Group, dependency.Step) } : dependency);
            var isFirst = !step.After.Any(dependency => own.Contains(dependency.Step));
            var renamed = step with
            {
                Name = NameIn(attach.Group, step.Name), Group = attach.Group,
                FanOut = step.FanOut is null ? null : [.. step.FanOut.Select(part => part.Join is { } join && own.Contains(join) ? part with { Join = NameIn(attach.Group, join) } : part)],
            };
            into.Add(new GraphEdit.Add(ToSpec(renamed, words), ToKernel([.. after, .. isFirst ? attach.After : []])));
        }
        var last = attach.Steps.Where(step => !waitedFor.Contains(step.Name)).Select(step => new NamedDependency(NameIn(attach.Group, step.Name), DependencyKind.Completed)).ToList();
        into.AddRange(attach.Before.Select(behind => new GraphEdit.Extend(behind, last)));
    }

    private static string NameIn(string group, string step) => $"{group}/{step}";

    /// <param name="words">The labels so far: the steps of a plan have few, and keep them for as long as the goal lives.</param>
    private static TaskSpec ToSpec(StepEdit step, HashSet<string> words) => new()
    {
        Name = step.Name,
        Executor = OneOf(words, step.Executor),
        Kind = OneOf(words, step.Kind),
        Input = WorkMapping.ToBytes(step.Input),
        Priority = step.Priority,
        AttemptCountMax = step.AttemptCountMax,
        LeaseDuration = ToLease(step.LeaseSeconds),
        Extras = WorkMapping.ExtrasOf(step),
    };

    private static string OneOf(HashSet<string> words, string word)
    {
        if (words.TryGetValue(word, out var known))
            return known;
        words.Add(word);
        return word;
    }

    private static IReadOnlyList<NamedDependency> ToKernel(IReadOnlyList<StepDependency> after)
    {
        if (after.Count == 0)
            return [];
        var dependencies = new NamedDependency[after.Count];
        for (var i = 0; i < dependencies.Length; i++)
            dependencies[i] = WorkMapping.ToKernel(after[i]);
        return dependencies;
    }

    // What no TimeSpan can hold becomes zero, which the kernel refuses with the range that is allowed.
    private static TimeSpan ToLease(double seconds) => seconds is > 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
