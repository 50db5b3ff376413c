using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>
/// Applies a list of edits to a goal's graph as one: the shape is changed first, with an undo for each step; only when
/// every edit has been accepted is anything recorded.
/// </summary>
internal sealed class GraphEditor(Goal goal, GoalDecisions decisions, IRecorder recorder, IIdSource ids, IClock clock, KernelLimits limits)
{
    private readonly List<Action> _undo = [];
    private readonly HashSet<TaskNode> _named = [];
    private readonly List<TaskNode> _added = [];
    private readonly List<TaskNode> _rewired = [];
    private readonly List<Action> _others = [];

    /// <returns>Null when all edits took effect; otherwise why none did.</returns>
    public Refusal? Apply(IReadOnlyList<GraphEdit> edits, string by, string? reason)
    {
        if (edits.Count > limits.EditsPerRequestMax)
            return Invalid($"A request takes at most {limits.EditsPerRequestMax} edits, and this one has {edits.Count}. Split it.");

        // Only the shape that all edits make together counts: a step may wait for one that stands further down in the same
        // list, and two steps may change places.
        var refusal = First(edits.OfType<GraphEdit.Add>(), AddNode)
            ?? First(edits.OfType<GraphEdit.Rewire>(), Detach)
            ?? First(edits, Connect)
            ?? First(edits, Change);
        if (refusal is not null)
            return Undo(refusal);

        recorder.RecordGoal(goal, new KernelEvent.PlanEdited(goal.Revision + 1, by, reason));
        // A replay reads the entries one by one and refuses a cycle at each. In the order of the finished graph there is
        // none on the way: whatever an entry lets its task wait for has its final edges already.
        foreach (var node in _added.OrderBy(node => node.Order))
            RecordAdded(node);
        foreach (var node in _rewired.OrderBy(node => node.Order))
            RecordShaped(node, new KernelEvent.TaskRewired(DependenciesOf(node)), to: null);
        foreach (var record in _others)
            record();
        foreach (var node in _rewired)
            decisions.Settle(goal, node);
        decisions.EndIfDone(goal);
        return null;
    }

    private static Refusal? First<T>(IEnumerable<T> edits, Func<T, Refusal?> apply) =>
        edits.Select(apply).FirstOrDefault(refusal => refusal is not null);

    private Refusal? Undo(Refusal refusal)
    {
        for (var i = _undo.Count - 1; i >= 0; i--)
            _undo[i]();
        return refusal;
    }

    private Refusal? AddNode(GraphEdit.Add add)
    {
        var spec = add.Spec;
        if (Check(spec) is { } refusal)
            return refusal;
        if (goal.Graph.Find(spec.Name) is not null)
            return Conflict($"There is a step named {spec.Name} in this goal already; names are unique within a goal.");
        if (goal.Graph.Count >= limits.GoalTasksMax)
            return Invalid($"A goal has at most {limits.GoalTasksMax} tasks.");

        var node = new TaskNode(new TaskId(ids.NewId(goal.Id.Shard)), spec, clock.UtcNow);
        goal.Graph.Add(node);
        _added.Add(node);
        _named.Add(node);
        _undo.Add(() => goal.Graph.Remove(node));
        return null;
    }

    private Refusal? Connect(GraphEdit edit) => edit switch
    {
        GraphEdit.Add add => Connect(goal.Graph.Find(add.Spec.Name)!, add.After),
        GraphEdit.Rewire rewire => Connect(goal.Graph.Find(rewire.Name)!, rewire.After),
        _ => null,
    };

    private Refusal? Change(GraphEdit edit) => edit switch
    {
        GraphEdit.Add or GraphEdit.Rewire => null,
        GraphEdit.Remove remove => WithTask(remove.Name, Remove),
        GraphEdit.Prioritise prioritise => WithTask(prioritise.Name, node => Prioritise(node, prioritise.Priority)),
        GraphEdit.Cancel cancel => WithTask(cancel.Name, node => Cancel(node, cancel.Reason)),
        _ => throw new InvalidOperationException($"No such edit: {edit.GetType().Name}."),
    };

    private Refusal? WithTask(string name, Func<TaskNode, Refusal?> edit) =>
        goal.Graph.Find(name) is not { } node ? new Refusal(RefusalKind.NotFound, $"There is no step named {name} in this goal.")
        : !_named.Add(node) ? Invalid($"Step {name} is edited twice by the same request; say it once.")
        : edit(node);

    private void RecordAdded(TaskNode node) => RecordShaped(
        node, new KernelEvent.TaskAdded(node.Spec, DependenciesOf(node)),
        to: TaskGraph.CountOpen(node) == 0 ? TaskState.Ready : TaskState.Pending);

    private void RecordShaped(TaskNode node, KernelEvent kernelEvent, TaskState? to) =>
        goal.ApplyShaped(node, recorder.Record(goal, node, kernelEvent, null, null, to), kernelEvent);

    /// <summary>Takes away what a step waited for, before any edit says what it waits for instead.</summary>
    private Refusal? Detach(GraphEdit.Rewire rewire) => WithTask(rewire.Name, node =>
    {
        if (HasStarted(node))
            return Conflict($"Step {node.Spec.Name} has started; what it waits for cannot be changed any more.");
        var before = node.After.ToArray();
        goal.Graph.TryConnect(node, []);
        _undo.Add(() => goal.Graph.TryConnect(node, before));
        _rewired.Add(node);
        return null;
    });

    private Refusal? Remove(TaskNode node)
    {
        if (HasStarted(node))
            return Conflict($"Step {node.Spec.Name} has started; it can be cancelled but not removed.");
        if (node.Dependents.Count > 0)
            return Conflict($"Step {node.Dependents[0].Node.Spec.Name} waits for {node.Spec.Name}; rewire or remove it first.");
        var after = node.After.ToArray();
        goal.Graph.Remove(node);
        _undo.Add(() =>
        {
            goal.Graph.Add(node);
            goal.Graph.TryConnect(node, after);
        });
        _others.Add(() => RecordShaped(node, new KernelEvent.TaskRemoved(), to: null));
        return null;
    }

    private Refusal? Prioritise(TaskNode node, int priority)
    {
        if (node.State.IsFinal())
            return Conflict($"Step {node.Spec.Name} has ended; its priority means nothing any more.");
        if (priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100, and {priority} is not.");
        _others.Add(() =>
        {
            var prioritised = new KernelEvent.TaskPrioritised(priority);
            goal.Apply(recorder.Record(goal, node, prioritised, null, null, null), prioritised);
        });
        return null;
    }

    private Refusal? Cancel(TaskNode node, string reason)
    {
        if (node.State.IsFinal())
            return Conflict($"Step {node.Spec.Name} has ended already.");
        _others.Add(() => decisions.Cancel(goal, node, PlainText.Clean(reason, limits.ReasonLengthMax)));
        return null;
    }

    private Refusal? Connect(TaskNode node, IReadOnlyList<NamedDependency> after)
    {
        if (after.Count > limits.TaskDependenciesMax)
            return Invalid($"A step waits for at most {limits.TaskDependenciesMax} others, and {node.Spec.Name} for {after.Count}.");
        var edges = new List<Edge>(after.Count);
        var seen = new HashSet<TaskNode>();
        foreach (var dependency in after)
        {
            if (goal.Graph.Find(dependency.Name) is not { } on)
                return Invalid($"Step {node.Spec.Name} waits for {dependency.Name}, and there is no such step in this goal.");
            if (!seen.Add(on))
                return Invalid($"Step {node.Spec.Name} names {dependency.Name} twice among the steps it waits for.");
            if (on.IsHopeless(dependency.Kind, goal.DeadTaskPolicy))
                return Conflict($"Step {node.Spec.Name} would wait for {dependency.Name}, which will not complete.");
            edges.Add(new Edge(on, dependency.Kind));
        }

        var before = node.After.ToArray();
        if (!goal.Graph.TryConnect(node, edges))
            return Invalid($"Step {node.Spec.Name} would wait for itself: these edits make a cycle.");
        _undo.Add(() => goal.Graph.TryConnect(node, before));
        return null;
    }

    private Refusal? Check(TaskSpec spec)
    {
        if (string.IsNullOrWhiteSpace(spec.Name) || spec.Name.Length > limits.NameLengthMax)
            return Invalid($"A step's name has 1 to {limits.NameLengthMax} characters.");
        if (!PlainText.IsText(spec.Name) || !PlainText.IsText(spec.Executor) || !PlainText.IsText(spec.Kind))
            return Invalid($"The name, executor or kind of a step holds {PlainText.WhatIsNot}.");
        if (string.IsNullOrWhiteSpace(spec.Executor) || spec.Executor.Length > limits.NameLengthMax)
            return Invalid($"Step {spec.Name} needs an executor of 1 to {limits.NameLengthMax} characters, for instance agent:NAME or tool:NAME.");
        if (spec.Kind.Length > limits.NameLengthMax)
            return Invalid($"The kind of step {spec.Name} has more than {limits.NameLengthMax} characters.");
        if (spec.Input.Length > limits.PayloadBytesMax)
            return Invalid($"The input of step {spec.Name} has {spec.Input.Length} bytes; {limits.PayloadBytesMax} is the limit. Larger things are artifacts.");
        if (spec.Priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100; step {spec.Name} has {spec.Priority}.");
        if (spec.AttemptCountMax is < 1 or > 100)
            return Invalid($"A step has 1 to 100 attempts; {spec.Name} has {spec.AttemptCountMax}.");
        if (spec.LeaseDuration < TimeSpan.FromSeconds(1) || spec.LeaseDuration > TimeSpan.FromHours(1))
            return Invalid($"A lease lasts one second to one hour; that of step {spec.Name} does not.");
        return SpecCheck.Of(spec);
    }

    private static bool HasStarted(TaskNode node) => node.Attempt > 0 || node.State == TaskState.Running || node.State.IsFinal();

    private static IReadOnlyList<Dependency> DependenciesOf(TaskNode node) =>
        [.. node.After.Select(edge => new Dependency(edge.Node.Id, edge.Kind))];

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);

    private static Refusal Conflict(string reason) => new(RefusalKind.Conflict, reason);
}
