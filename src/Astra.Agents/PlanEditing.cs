using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// Edits of a plan as people and agents say them, turned into edits of the kernel's graph. The kernel knows tasks; that
/// a goal has a reflection which waits for whatever is added is known here.
/// </summary>
public sealed class PlanEditing(KernelNode node) : IDisposable
{
    // "The reflection also waits for these" becomes "it waits for those it had and these". Between reading and writing
    // nobody else may do the same to the same goal. One process is enough to look at: a goal's edits all happen on the
    // node that owns it.
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1))];

    /// <summary>Hands the kernel's edits to <paramref name="commit"/>, or answers why they cannot be made.</summary>
    public async ValueTask<Answer<T>> CommitAsync<T>(
        TenantId tenant, GoalId goal, IReadOnlyList<PlanEdit> edits, Func<IReadOnlyList<GraphEdit>, ValueTask<Answer<T>>> commit)
    {
        if (!edits.Any(edit => edit is ReflectAfter or RewireStep))
            return Check(edits) is { } refused ? refused : await commit(ToKernel(edits));

        var gate = _gates[StableHash.Of(goal.Value, "") % (ulong)_gates.Length];
        await gate.WaitAsync();
        try
        {
            if (Check(edits) is { } refusal)
                return refusal;
            var kernelEdits = ToKernel(edits);
            if (edits.Any(edit => edit is ReflectAfter))
            {
                var plan = await node.GetPlanAsync(tenant, goal);
                if (plan.Refusal is { } unknown)
                    return unknown;
                kernelEdits.AddRange(Extend(plan.Value, edits.OfType<ReflectAfter>()));
            }
            return await commit(kernelEdits);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>The edits that need no goal to be understood: those a goal is submitted with.</summary>
    public static Answer<IReadOnlyList<GraphEdit>> ToGraph(IReadOnlyList<PlanEdit> edits) =>
        Check(edits) is { } refusal ? refusal : ToKernel(edits);

    public void Dispose()
    {
        foreach (var gate in _gates)
            gate.Dispose();
    }

    private static Refusal? Check(IReadOnlyList<PlanEdit> edits)
    {
        foreach (var edit in edits)
        {
            if (edit is null)
                return Invalid("One of the edits is null.");
            if (edit is AddStep add && !IsExecutor(add.Executor))
                return Invalid($"Step {add.Name} has the executor '{add.Executor}'; it must be agent:NAME or tool:NAME[@VERSION].");
            if (edit is AddStep { Requires: { } requires } asking && Capabilities.Refuse(requires) is { } bad)
                return Invalid($"Step {asking.Name} requires something that cannot be a capability: {bad}");
            var after = edit switch { AddStep step => step.After, RewireStep step => step.After, ReflectAfter reflect => reflect.After, _ => [] };
            if (after.Any(dependency => string.IsNullOrEmpty(dependency.Step)))
                return Invalid("A dependency names the step it waits for, as in {\"step\": \"fetch\", \"onlyCompleted\": true}.");
        }
        return null;
    }

    private static bool IsExecutor(string executor) =>
        executor.StartsWith("agent:", StringComparison.Ordinal) && executor.Length > "agent:".Length
        || executor.StartsWith("tool:", StringComparison.Ordinal) && executor.Length > "tool:".Length;

    private static List<GraphEdit> ToKernel(IReadOnlyList<PlanEdit> edits) => [.. edits.Where(edit => edit is not ReflectAfter).Select(ToKernel)];

    private static GraphEdit ToKernel(PlanEdit edit) => edit switch
    {
        AddStep add => new GraphEdit.Add(
            new TaskSpec
            {
                Name = add.Name,
                Executor = add.Executor,
                Kind = add.Kind,
                Input = WorkMapping.ToBytes(add.Input),
                Priority = add.Priority,
                AttemptCountMax = add.AttemptCountMax,
                LeaseDuration = ToLease(add.LeaseSeconds),
                Extras = ToExtras(add),
            },
            [.. add.After.Select(WorkMapping.ToKernel)]),
        RemoveStep remove => new GraphEdit.Remove(remove.Name),
        RewireStep rewire => new GraphEdit.Rewire(rewire.Name, [.. rewire.After.Select(WorkMapping.ToKernel)]),
        PrioritiseStep prioritise => new GraphEdit.Prioritise(prioritise.Name, prioritise.Priority),
        CancelStep cancel => new GraphEdit.Cancel(cancel.Name, cancel.Reason ?? "Cancelled by an edit of the plan."),
        _ => throw new InvalidOperationException($"No such edit: {edit.GetType().Name}."),
    };

    // None as the kernel has it where there is nothing, so that nothing is written for it.
    private static TaskExtras ToExtras(AddStep add) => add is { NotBefore: null, Deadline: null, Queue: null } && Capabilities.Join(add.Requires) is null
        ? TaskExtras.None
        : new TaskExtras { NotBefore = add.NotBefore?.ToUniversalTime(), Deadline = add.Deadline?.ToUniversalTime(), Queue = add.Queue, Requires = Capabilities.Join(add.Requires) };

    // What no TimeSpan can hold becomes zero, which the kernel refuses with the range that is allowed.
    private static TimeSpan ToLease(double seconds) => seconds is > 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero;

    private static IEnumerable<GraphEdit> Extend(GoalSnapshot plan, IEnumerable<ReflectAfter> edits)
    {
        var more = edits.SelectMany(edit => edit.After).Select(WorkMapping.ToKernel).ToList();
        var names = plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        return plan.Tasks
            .Where(task => task.Spec.Kind == AgentRunner.ReflectKind && task.Attempt == 0 && !task.State.IsFinal())
            .Select(reflection => new GraphEdit.Rewire(
                reflection.Spec.Name,
                [.. reflection.After.Select(after => new NamedDependency(names[after.On], after.Kind)).Concat(more).DistinctBy(after => after.Name)]));
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
