using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;

namespace Astra.Agents;

/// <summary>
/// Which edits lead from a plan to another: to the steps of a file, or to what the plan was at an earlier revision. What has
/// started is history, and a target that would change it is refused with the reason.
/// </summary>
public static class PlanTargets
{
    /// <summary>A plan as the steps that would make it.</summary>
    public static IReadOnlyList<AddStep> ToSteps(GoalSnapshot plan)
    {
        var names = plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        return [.. plan.Tasks.Select(task => ToStep(task, names))];
    }

    /// <summary>What of a plan is a file's business, as the steps that would make it.</summary>
    public static PlanSteps ToFile(GoalSnapshot plan)
    {
        var names = plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        var others = OthersOf(plan);
        var own = plan.Tasks.Where(IsOfFile).ToList();
        return new PlanSteps(
            plan.Goal.Id.Value, plan.Goal.Revision,
            [.. own.Select(task => ToStep(task, names)).Select(step => step with { After = [.. step.After.Where(after => !others.Contains(after.Step))] })],
            [.. own.Where(HasStarted).Select(task => task.Spec.Name)]);
    }

    /// <summary>Towards the steps of a file. Groups, and the goal's own plan and reflection, are not a file's business.</summary>
    public static Answer<IReadOnlyList<PlanEdit>> Towards(GoalSnapshot now, IReadOnlyList<AddStep> target)
    {
        var twice = target.GroupBy(step => step.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            return Invalid($"There are two steps named {twice.Key}; names are unique within a goal.");
        // A step that waits for parts of a group waits for them still, although a file does not say so.
        var others = OthersOf(now);
        var names = now.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        var kept = now.Tasks.Where(IsOfFile).ToDictionary(
            task => task.Spec.Name, task => ToStep(task, names).After.Where(after => others.Contains(after.Step)).ToList(), StringComparer.Ordinal);
        var whole = target.Select(step => kept.GetValueOrDefault(step.Name) is { Count: > 0 } behind
            ? step with { After = [.. step.After, .. behind.Where(after => !step.After.Any(said => said.Step == after.Step))] }
            : step).ToList();
        return Between(now, whole, IsOfFile,
            step => $"Step {step} is not among the steps given, and it has started: cancel it, or leave it in.");
    }

    /// <summary>Back to an earlier revision.</summary>
    public static Answer<IReadOnlyList<PlanEdit>> Back(GoalSnapshot now, GoalSnapshot then)
    {
        var before = then.Tasks.ToDictionary(task => task.Spec.Name, StringComparer.Ordinal);
        var cancelled = now.Tasks.FirstOrDefault(task => task is { State: KernelTaskState.Cancelled, DoomedBy: null }
            && before.TryGetValue(task.Spec.Name, out var was) && !was.State.IsFinal());
        if (cancelled is not null)
            return Conflict($"Step {cancelled.Spec.Name} was cancelled since revision {then.Goal.Revision}, and that cannot be taken back.");
        return Between(now, ToSteps(then), _ => true, step => $"Step {step} was added after revision {then.Goal.Revision} and has started; it can be cancelled, but not taken back.");
    }

    private static Answer<IReadOnlyList<PlanEdit>> Between(
        GoalSnapshot now, IReadOnlyList<AddStep> target, Func<TaskRow, bool> isConcerned, Func<string, string> whenStarted)
    {
        var names = now.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        var present = now.Tasks.ToDictionary(task => task.Spec.Name, StringComparer.Ordinal);
        var wanted = target.Select(step => step.Name).ToHashSet(StringComparer.Ordinal);
        var edits = new List<PlanEdit>();
        foreach (var step in target)
        {
            if (!present.TryGetValue(step.Name, out var task))
            {
                edits.Add(step);
                continue;
            }
            var own = ToStep(task, names);
            var isOther = !IsSameWork(own, step);
            var isElsewhere = !own.After.ToHashSet().SetEquals(step.After.Select(Canonical));
            if ((isOther || isElsewhere) && HasStarted(task))
                return Conflict($"Step {step.Name} is {task.State.ToString().ToLowerInvariant()}; {(isOther ? "what it does" : "what it waits for")} cannot be changed any more.");
            if (isOther)
                edits.Add(new ReplaceStep(step));
            else if (own.Priority != step.Priority && !task.State.IsFinal())
                edits.Add(new PrioritiseStep(step.Name, step.Priority));
            if (isElsewhere)
                edits.Add(new RewireStep(step.Name, step.After));
        }
        foreach (var gone in now.Tasks.Where(task => isConcerned(task) && !wanted.Contains(task.Spec.Name)))
        {
            if (HasStarted(gone))
                return Conflict(whenStarted(gone.Spec.Name));
            edits.Add(new RemoveStep(gone.Spec.Name));
        }
        return Answer.Of<IReadOnlyList<PlanEdit>>(RemovedLast(edits, now, names));
    }

    /// <summary>What waits for others is removed before them, or each would be held by the next.</summary>
    private static List<PlanEdit> RemovedLast(List<PlanEdit> edits, GoalSnapshot now, Dictionary<TaskId, string> names)
    {
        var removed = edits.OfType<RemoveStep>().Select(remove => remove.Name).ToHashSet(StringComparer.Ordinal);
        var waiting = now.Tasks.Where(task => removed.Contains(task.Spec.Name))
            .ToDictionary(task => task.Spec.Name, task => task.After.Select(after => names[after.On]).Where(removed.Contains).ToList(), StringComparer.Ordinal);
        var dependents = waiting.Keys.ToDictionary(name => name, _ => 0, StringComparer.Ordinal);
        foreach (var on in waiting.Values.SelectMany(after => after))
            dependents[on]++;
        var free = new Queue<string>(dependents.Where(pair => pair.Value == 0).Select(pair => pair.Key));
        var ordered = new List<PlanEdit>(edits.Where(edit => edit is not RemoveStep));
        while (free.TryDequeue(out var name))
        {
            ordered.Add(new RemoveStep(name));
            foreach (var on in waiting[name])
                if (--dependents[on] == 0)
                    free.Enqueue(on);
        }
        return ordered;
    }

    private static AddStep ToStep(TaskRow task, Dictionary<TaskId, string> names) => new()
    {
        Name = task.Spec.Name,
        Executor = task.Spec.Executor,
        Kind = task.Spec.Kind,
        Input = WorkMapping.ToJson(task.Spec.Input),
        After = [.. task.After.Select(after => WorkMapping.ToWire(names.GetValueOrDefault(after.On) ?? after.On.ToString(), after))],
        Priority = task.Spec.Priority,
        AttemptCountMax = task.Spec.AttemptCountMax,
        LeaseSeconds = task.Spec.LeaseDuration.TotalSeconds,
        FanOut = FanOuts.Parse(task.Spec.Extras.FanOut) is { Count: > 0 } fanOut ? fanOut : null,
        Group = task.Spec.Extras.Group,
        Retry = WorkMapping.ToWire(task.Spec.Extras.Retry),
        WorkersLostMax = task.Spec.Extras.WorkersLostMax,
        EffectKeys = WorkMapping.ToWire(task.Spec.Extras.EffectKeys),
        NotBefore = task.Spec.Extras.NotBefore,
        Deadline = task.Spec.Extras.Deadline,
        Queue = task.Spec.Extras.Queue,
        Requires = task.Spec.Extras.Requires is { } requires ? Capabilities.Split(requires) : null,
        Approvals = task.Spec.Extras.Approval?.VotesNeeded,
    };

    private static bool IsSameWork(AddStep one, AddStep other) =>
        one.Executor == other.Executor && one.Kind == other.Kind && one.AttemptCountMax == other.AttemptCountMax && one.LeaseSeconds.Equals(other.LeaseSeconds) && one.Group == other.Group
        && one.Retry == other.Retry && one.WorkersLostMax == other.WorkersLostMax && one.EffectKeys == other.EffectKeys
        && one.NotBefore == other.NotBefore && one.Deadline == other.Deadline && one.Queue == other.Queue && Capabilities.Join(one.Requires) == Capabilities.Join(other.Requires)
        // Approval that is asked for is not taken away, and some steps are given it by the server: fewer is no other work.
        && (other.Approvals ?? 0) <= (one.Approvals ?? 0)
        && WorkMapping.ToBytes(one.Input).Span.SequenceEqual(WorkMapping.ToBytes(other.Input).Span)
        && FanOuts.ToBytes(one.FanOut ?? []).AsSpan().SequenceEqual(FanOuts.ToBytes(other.FanOut ?? []));

    private static bool IsOfFile(TaskRow task) => task.Spec.Extras.Group is null && !task.Spec.Kind.StartsWith('$');

    private static HashSet<string> OthersOf(GoalSnapshot plan) => [.. plan.Tasks.Where(task => !IsOfFile(task)).Select(task => task.Spec.Name)];

    private static bool HasStarted(TaskRow task) => task.Attempt > 0 || task.State.IsFinal();

    /// <summary>The same dependency can be said in two ways.</summary>
    private static StepDependency Canonical(StepDependency dependency)
    {
        var named = WorkMapping.ToKernel(dependency);
        return WorkMapping.ToWire(named.Name, new Dependency(default, named.Kind, named.Outcome));
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);

    private static Refusal Conflict(string reason) => new(RefusalKind.Conflict, reason);
}
