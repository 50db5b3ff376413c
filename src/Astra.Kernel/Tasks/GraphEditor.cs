using Astra.Kernel.Approvals;
using Astra.Kernel.Journal;

namespace Astra.Kernel.Tasks;

/// <summary>
/// Applies a list of edits to a goal's graph as one: the shape is changed first, with an undo for each step; only when
/// every edit has been accepted is anything recorded.
/// </summary>
internal sealed class GraphEditor(Goal goal, GoalDecisions decisions, IRecorder recorder, NodeParts parts)
{
    private readonly KernelLimits _limits = parts.Limits;
    private readonly long _visitsBefore = goal.Graph.VisitCount;
    private readonly List<Action> _undo = [];

    // What a step does is said once by a request, and so is where it stands.
    private readonly HashSet<TaskNode> _changed = [];
    private readonly HashSet<TaskNode> _placed = [];

    private readonly List<TaskNode> _added = [];
    private readonly HashSet<TaskNode> _isAdded = [];
    private readonly List<TaskNode> _suspended = [];
    private readonly List<TaskNode> _replaced = [];

    /// <summary>What waits for something else than before. Null: for what its edges say, all of them; otherwise also for these.</summary>
    private readonly Dictionary<TaskNode, List<Edge>?> _rewired = [];

    private readonly List<Action> _others = [];

    // After everything else: a cancellation takes others with it, and may end the goal.
    private readonly List<(TaskNode Node, string Reason)> _cancelled = [];

    // Who makes the edits, once they are taken.
    private string _by = "";

    /// <summary>How many tasks were looked at to see that there is no cycle.</summary>
    public long VisitCount => goal.Graph.VisitCount - _visitsBefore;

    /// <returns>Null when all edits took effect; otherwise why none did.</returns>
    public Refusal? Apply(IReadOnlyList<GraphEdit> edits, string by, string? reason)
    {
        if (Shape(edits) is { } refusal)
            return Undo(refusal);

        _by = by;
        recorder.RecordGoal(goal, new KernelEvent.PlanEdited(goal.Revision + 1, by, reason));
        foreach (var node in _suspended)
            decisions.Suspend(goal, node);
        // A replay reads the entries one by one and refuses a cycle at each. In the order of the finished graph there is
        // none on the way: nothing waits yet for what is added, and whatever else an entry lets its task wait for has its
        // final edges already.
        foreach (var node in _added.OrderBy(node => node.Order))
            RecordAdded(node);
        var rewired = _rewired.OrderBy(pair => pair.Key.Order).ToList();
        foreach (var (node, more) in rewired)
            RecordShaped(node, more is null ? new KernelEvent.TaskRewired(ToDependencies(node.After)) : new KernelEvent.TaskExtended(ToDependencies(more)), to: null);
        foreach (var record in _others)
            record();
        // A group may have lost a task to another edit of the list.
        foreach (var (node, why) in _cancelled)
            if (goal.Graph.Find(node.Id) is not null)
                decisions.Cancel(goal, node, why);
        foreach (var (node, _) in rewired)
            decisions.Settle(goal, node);
        foreach (var node in _replaced)
            decisions.Settle(goal, node);
        decisions.EndIfDone(goal);
        return null;
    }

    /// <summary>Whether the edits would take effect. Changes nothing.</summary>
    public Refusal? Check(IReadOnlyList<GraphEdit> edits) => Undo(Shape(edits));

    /// <summary>Only the shape that all edits make together counts: a step may wait for one that stands further down in the
    /// same list, and two steps may change places.</summary>
    private Refusal? Shape(IReadOnlyList<GraphEdit> edits) =>
        edits.Count > _limits.EditsPerRequestMax
            ? Invalid($"A request takes at most {_limits.EditsPerRequestMax} edits, and this one has {edits.Count}. Split it.")
            : First(AddsOf(edits), AddNode)
                ?? ArrangeAdded(edits)
                ?? First(edits.OfType<GraphEdit.Rewire>(), Detach)
                ?? First(edits, Connect)
                ?? First(edits, Extend)
                ?? First(edits, Change);

    private static Refusal? First<T>(IEnumerable<T> edits, Func<T, Refusal?> apply)
    {
        foreach (var edit in edits)
            if (apply(edit) is { } refusal)
                return refusal;
        return null;
    }

    private Refusal? Undo(Refusal? refusal)
    {
        for (var i = _undo.Count - 1; i >= 0; i--)
            _undo[i]();
        return refusal;
    }

    // ---- The shape -------------------------------------------------------------------------------------------------

    private IEnumerable<GraphEdit.Add> AddsOf(IReadOnlyList<GraphEdit> edits)
    {
        var count = edits.Count(edit => edit is GraphEdit.Add);
        goal.Graph.MakeRoom(count);
        _added.EnsureCapacity(count);
        _isAdded.EnsureCapacity(count);
        _changed.EnsureCapacity(count);
        _placed.EnsureCapacity(count);
        return edits.OfType<GraphEdit.Add>();
    }

    private Refusal? AddNode(GraphEdit.Add add)
    {
        if (SpecRules.Check(add.Spec, _limits) is { } refusal)
            return refusal;
        var spec = WithApproval(add.Spec, before: null);
        if (goal.Graph.Find(spec.Name) is not null)
            return Conflict($"There is a step named {spec.Name} in this goal already; names are unique within a goal.");
        if (goal.Graph.Count >= _limits.GoalTasksMax)
            return Invalid($"A goal has at most {_limits.GoalTasksMax} tasks.");

        var node = new TaskNode(new TaskId(parts.Ids.NewId(goal.Id.Shard)), spec, parts.Clock.UtcNow);
        goal.Graph.Add(node);
        _added.Add(node);
        _isAdded.Add(node);
        _changed.Add(node);
        _placed.Add(node);
        _undo.Add(() => goal.Graph.Remove(node));
        return null;
    }

    private Refusal? ArrangeAdded(IReadOnlyList<GraphEdit> edits)
    {
        if (_added.Count == 0)
            return null;
        return goal.Graph.ArrangeAdded(_added, [.. edits.OfType<GraphEdit.Add>().Select(add => add.After)]) is { } circular ? Cycle(circular) : null;
    }

    /// <summary>Takes away what a step waited for, before any edit says what it waits for instead.</summary>
    private Refusal? Detach(GraphEdit.Rewire rewire) => WithTask(rewire.Name, _placed, node =>
    {
        if (node.HasStarted)
            return Conflict($"Step {node.Spec.Name} has started; what it waits for cannot be changed any more.");
        var before = node.After.ToArray();
        goal.Graph.TryConnect(node, []);
        _undo.Add(() => goal.Graph.TryConnect(node, before));
        _rewired[node] = null;
        return null;
    });

    private Refusal? Connect(GraphEdit edit) => edit switch
    {
        GraphEdit.Add add => Connect(goal.Graph.Find(add.Spec.Name)!, add.After),
        GraphEdit.Rewire rewire => Connect(goal.Graph.Find(rewire.Name)!, rewire.After),
        _ => null,
    };

    private Refusal? Connect(TaskNode node, IReadOnlyList<NamedDependency> after)
    {
        if (after.Count == 0 && node.After.Count == 0)
            return null;
        var edges = new List<Edge>(after.Count);
        if (Find(node, after, edges, isRepeatable: false) is { } refusal)
            return refusal;
        var before = node.After.ToArray();
        if (!goal.Graph.TryConnect(node, edges))
            return Cycle(node);
        _undo.Add(() => goal.Graph.TryConnect(node, before));
        return null;
    }

    private Refusal? Extend(GraphEdit edit) => edit switch
    {
        GraphEdit.Extend extend => goal.Graph.Find(extend.Name) switch
        {
            null => NoStep(extend.Name),
            { HasStarted: true } => Conflict($"Step {extend.Name} has started; it can be suspended behind others, but not extended."),
            var node => Extend(node, extend.After),
        },
        GraphEdit.ExtendKind extend => First(goal.Graph.OfKind(extend.Kind), node => node.HasStarted ? null : Extend(node, extend.After)),
        GraphEdit.Suspend suspend => WithTask(suspend.Name, _placed, node => Suspend(node, suspend.After)),
        _ => null,
    };

    private Refusal? Suspend(TaskNode node, IReadOnlyList<NamedDependency> after)
    {
        if (node.State.IsFinal())
            return Conflict($"Step {node.Spec.Name} has ended; it cannot wait for anything any more.");
        if (after.Count == 0)
            return Invalid($"Step {node.Spec.Name} is suspended behind nothing; name what it waits for.");
        if (node.State == TaskState.Running)
            _suspended.Add(node);
        return Extend(node, after);
    }

    private Refusal? Extend(TaskNode node, IReadOnlyList<NamedDependency> after)
    {
        var more = new List<Edge>(after.Count);
        if (Find(node, after, more, isRepeatable: true) is { } refusal)
            return refusal;
        if (!goal.Graph.TryExtend(node, more))
            return Cycle(node);
        var count = more.Count;
        _undo.Add(() => TaskGraph.Retract(node, count));
        // What is added, or rewired by the same list, is recorded with all it waits for.
        if (_rewired.TryGetValue(node, out var known))
            known?.AddRange(more);
        else if (!_isAdded.Contains(node))
            _rewired[node] = more;
        return null;
    }

    private Refusal? Find(TaskNode node, IReadOnlyList<NamedDependency> after, List<Edge> edges, bool isRepeatable)
    {
        var before = isRepeatable ? node.After.Count : 0;
        if (after.Count + before > _limits.TaskDependenciesMax)
            return Invalid($"A step waits for at most {_limits.TaskDependenciesMax} others, and {node.Spec.Name} for {after.Count + before}.");
        // Nothing is named twice by whoever names one.
        var seen = after.Count + before > 1 ? node.After.Take(before).Select(edge => edge.Node).ToHashSet() : null;
        foreach (var dependency in after)
        {
            if (goal.Graph.Find(dependency.Name) is not { } on)
                return Invalid($"Step {node.Spec.Name} waits for {dependency.Name}, and there is no such step in this goal.");
            if (seen?.Add(on) == false)
            {
                if (isRepeatable)
                    continue;
                return Invalid($"Step {node.Spec.Name} names {dependency.Name} twice among the steps it waits for.");
            }
            if ((dependency.Kind == DependencyKind.Outcome) != dependency.Outcome is not null || SpecRules.CheckOutcome(dependency.Outcome, _limits) is not null)
                return Invalid($"Step {node.Spec.Name} waits for an outcome of {dependency.Name}, and what it says is none; an outcome has 1 to {_limits.NameLengthMax} characters.");
            var edge = new Edge(on, dependency.Kind, dependency.Outcome);
            switch (on.Judge(edge, goal.DeadTaskPolicy))
            {
                case DependencyVerdict.Doom:
                    return Conflict($"Step {node.Spec.Name} would wait for {dependency.Name}, which will not complete.");
                case DependencyVerdict.Skip:
                    return Conflict(on.State == TaskState.Completed
                        ? $"Step {node.Spec.Name} would wait for the outcome {dependency.Outcome} of {dependency.Name}, which has completed with {(on.Spec.Extras.Outcome is { } said ? said : "none")}."
                        : $"Step {node.Spec.Name} would wait for {dependency.Name}, which is left out.");
            }
            edges.Add(edge);
        }
        return null;
    }

    // ---- Everything else -------------------------------------------------------------------------------------------

    private Refusal? Change(GraphEdit edit) => edit switch
    {
        GraphEdit.Add or GraphEdit.Rewire or GraphEdit.Extend or GraphEdit.ExtendKind or GraphEdit.Suspend => null,
        GraphEdit.Replace replace => WithTask(replace.Spec.Name, _changed, node => Replace(node, replace.Spec)),
        GraphEdit.Remove remove => WithTask(remove.Name, _changed, Remove),
        GraphEdit.Prioritise prioritise => WithTask(prioritise.Name, _changed, node => Prioritise(node, prioritise.Priority)),
        GraphEdit.Cancel cancel => WithTask(cancel.Name, _changed, node => Cancel(node, cancel.Reason)),
        GraphEdit.CancelSubtree cancel => WithTask(cancel.Name, _changed, node => CancelAll(
            SubtreeOf(node), cancel.Reason, $"Step {cancel.Name} has ended, and so has everything that only runs because of it.")),
        GraphEdit.CancelGroup cancel => CancelAll(
            goal.Graph.Tasks.Where(node => IsIn(cancel.Group, node)), cancel.Reason, $"There is nothing in the group {cancel.Group} that has not ended."),
        _ => throw new InvalidOperationException($"No such edit: {edit.GetType().Name}."),
    };

    private Refusal? WithTask(string name, HashSet<TaskNode> said, Func<TaskNode, Refusal?> edit) =>
        goal.Graph.Find(name) is not { } node ? NoStep(name)
        : !said.Add(node) ? Invalid($"Step {name} is edited twice by the same request; say it once.")
        : edit(node);

    private Refusal? Replace(TaskNode node, TaskSpec spec)
    {
        if (node.HasStarted)
            return Conflict($"Step {node.Spec.Name} has started; what it does cannot be changed any more.");
        if (SpecRules.Check(spec, _limits) is { } refusal)
            return refusal;
        var work = WithApproval(spec, node.Spec.Extras.Approval);
        _replaced.Add(node);
        _others.Add(() =>
        {
            var replaced = new KernelEvent.TaskReplaced(AskedByEditor(work));
            goal.Apply(recorder.Record(goal, node, replaced, null, null, null), replaced);
        });
        return null;
    }

    private Refusal? Remove(TaskNode node)
    {
        if (node.HasStarted)
            return Conflict($"Step {node.Spec.Name} has started; it can be cancelled but not removed.");
        if (node.Spec.Extras.Approval is not null)
            return Conflict($"Step {node.Spec.Name} asks for people's approval, which no edit takes away; it can be cancelled but not removed.");
        if (node.Dependents.Count > 0)
            return Conflict($"Step {node.Dependents[0].Node.Spec.Name} waits for {node.Spec.Name}; rewire or remove it first.");
        if (_rewired.ContainsKey(node))
            return Invalid($"Step {node.Spec.Name} is edited twice by the same request; say it once.");
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

    private Refusal? Cancel(TaskNode node, string reason) =>
        CancelAll([node], reason, $"Step {node.Spec.Name} has ended already.");

    /// <summary>The last first, so that nothing is unblocked or doomed on the way that is cancelled a moment later.</summary>
    private Refusal? CancelAll(IEnumerable<TaskNode> nodes, string reason, string nothingLeft)
    {
        var open = nodes.Where(node => !node.State.IsFinal()).OrderByDescending(node => node.Order).ToList();
        if (open.Count == 0)
            return Conflict(nothingLeft);
        var words = PlainText.Clean(reason, _limits.ReasonLengthMax);
        _cancelled.AddRange(open.Select(node => (node, words)));
        return null;
    }

    /// <summary>The task, and whatever waits only for tasks that are in here already.</summary>
    private static IEnumerable<TaskNode> SubtreeOf(TaskNode root)
    {
        var outside = new Dictionary<TaskNode, int>();
        var subtree = new List<TaskNode> { root };
        for (var i = 0; i < subtree.Count; i++)
        {
            foreach (var edge in subtree[i].Dependents)
            {
                var left = outside.GetValueOrDefault(edge.Node, edge.Node.After.Count) - 1;
                outside[edge.Node] = left;
                if (left == 0)
                    subtree.Add(edge.Node);
            }
        }
        return subtree;
    }

    public static bool IsIn(string group, TaskNode node) =>
        node.Spec.Extras.Group is { } own && (own == group || own.StartsWith($"{group}/", StringComparison.Ordinal));

    // ---- The record ------------------------------------------------------------------------------------------------

    private void RecordAdded(TaskNode node)
    {
        if (node.Spec.Extras.Approval is not null)
            node.Spec = AskedByEditor(node.Spec);
        RecordShaped(
            node, new KernelEvent.TaskAdded(node.Spec, ToDependencies(node.After)),
            to: TaskGraph.CountOpen(node) == 0 ? TaskState.Ready : TaskState.Pending);
    }

    /// <summary>As many people have to agree as the step says, or as its executor needs, or as had to before, whichever is
    /// most. Nobody's votes come with a step; those for the work before are not for this.</summary>
    private TaskSpec WithApproval(TaskSpec spec, Approval? before)
    {
        var needed = Math.Max(parts.VotesNeeded(spec.Executor), Math.Max(spec.Extras.Approval?.VotesNeeded ?? 0, before?.VotesNeeded ?? 0));
        return needed == 0 ? spec : spec with { Extras = spec.Extras with { Approval = new Approval(needed) { Votes = before?.Votes ?? [] } } };
    }

    private TaskSpec AskedByEditor(TaskSpec spec) =>
        spec.Extras.Approval is { } approval ? spec with { Extras = spec.Extras with { Approval = approval with { AskedBy = _by } } } : spec;

    private void RecordShaped(TaskNode node, KernelEvent kernelEvent, TaskState? to) =>
        goal.ApplyShaped(node, recorder.Record(goal, node, kernelEvent, null, null, to), kernelEvent);

    private static IReadOnlyList<Dependency> ToDependencies(List<Edge> edges) => edges.ConvertAll(static edge => edge.ToDependency());

    private static Refusal NoStep(string name) => new(RefusalKind.NotFound, $"There is no step named {name} in this goal.");

    private static Refusal Cycle(TaskNode node) => Invalid($"Step {node.Spec.Name} would wait for itself: these edits make a cycle.");

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);

    private static Refusal Conflict(string reason) => new(RefusalKind.Conflict, reason);
}
