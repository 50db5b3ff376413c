namespace Astra.Kernel.Tasks;

/// <summary>
/// The shape of a goal: tasks by id and by name, edges in both directions, and never a cycle. Knows nothing of time,
/// leases or the log.
/// </summary>
/// <remarks>
/// Cycles are refused by keeping a topological order up to date: an edge that agrees with the order costs nothing, one
/// that does not reorders only what lies between its ends. (D. J. Pearce, P. H. J. Kelly, "A Dynamic Topological Sort
/// Algorithm for Directed Acyclic Graphs", ACM JEA 11, 2006.)
/// </remarks>
internal sealed class TaskGraph
{
    private readonly Dictionary<TaskId, TaskNode> _byId = [];
    private readonly Dictionary<string, TaskNode> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<TaskNode>> _byKind = new(StringComparer.Ordinal);
    private int _nextOrder;
    private bool _isHeld;

    public int Count => _byId.Count;

    public IEnumerable<TaskNode> Tasks => _byId.Values;

    public TaskNode? Find(TaskId id) => _byId.GetValueOrDefault(id);

    public TaskNode? Find(string name) => _byName.GetValueOrDefault(name);

    public TaskNode this[TaskId id] => _byId[id];

    /// <summary>How many tasks were looked at to keep the order: what an edit costs.</summary>
    public long VisitCount { get; private set; }

    /// <summary>The tasks of a kind. A kind that was asked for once is kept up to date from then on; the others cost nothing.</summary>
    public IReadOnlyList<TaskNode> OfKind(string kind)
    {
        if (!_byKind.TryGetValue(kind, out var nodes))
            _byKind[kind] = nodes = [.. _byId.Values.Where(node => node.Spec.Kind == kind)];
        return nodes;
    }

    /// <summary>From here on every task waits, whatever else it waits for, until the graph is released.</summary>
    public void Hold() => _isHeld = true;

    public void Release()
    {
        if (!_isHeld)
            return;
        _isHeld = false;
        foreach (var node in _byId.Values)
        {
            node.IsHeld = false;
            node.OpenDependencies--;
        }
    }

    /// <summary>So many tasks are about to be added.</summary>
    public void MakeRoom(int count)
    {
        _byName.EnsureCapacity(Count + count);
        _byId.EnsureCapacity(Count + count);
    }

    public void Add(TaskNode node)
    {
        node.IsHeld = _isHeld;
        _byName.Add(node.Spec.Name, node);
        _byId.Add(node.Id, node);
        node.Order = _nextOrder++;
        if (_byKind.TryGetValue(node.Spec.Kind, out var ofKind))
            ofKind.Add(node);
    }

    /// <summary>Gives a task another specification under the same name.</summary>
    public void Respecify(TaskNode node, TaskSpec spec)
    {
        if (_byKind.TryGetValue(node.Spec.Kind, out var before))
            before.Remove(node);
        node.Spec = spec;
        if (_byKind.TryGetValue(spec.Kind, out var now))
            now.Add(node);
    }

    /// <summary>Takes the task and the edges to what it waited for away. Nothing may wait for it any more.</summary>
    public void Remove(TaskNode node)
    {
        if (node.Dependents.Count > 0)
            throw new InvalidOperationException($"Task {node.Id} cannot be removed while others wait for it.");
        Disconnect(node);
        _byId.Remove(node.Id);
        _byName.Remove(node.Spec.Name);
        if (_byKind.TryGetValue(node.Spec.Kind, out var ofKind))
            ofKind.Remove(node);
    }

    /// <summary>Brings tasks that were just added, and that nothing is connected to yet, into an order that agrees with what
    /// they will wait for among themselves. A plan may be written in any order; without this, one written backwards would
    /// be mended edge by edge, each time across all that came before.</summary>
    /// <param name="after">What each of them will wait for, in the same order; what is not there is passed over.</param>
    /// <returns>A task that would wait for itself, or null.</returns>
    public TaskNode? ArrangeAdded(IReadOnlyList<TaskNode> added, IReadOnlyList<IReadOnlyList<NamedDependency>> after)
    {
        VisitCount += added.Count;
        if (IsArranged(added, after))
            return null;

        var waits = added.ToDictionary(node => node, _ => new List<TaskNode>());
        var dependents = added.ToDictionary(node => node, _ => new List<TaskNode>());
        foreach (var (node, names) in added.Zip(after))
        {
            foreach (var name in names)
            {
                if (Find(name.Name) is not { } on || !dependents.TryGetValue(on, out var list))
                    continue;
                list.Add(node);
                waits[node].Add(on);
            }
        }
        var left = added.ToDictionary(node => node, node => waits[node].Count);
        var places = added.Select(node => node.Order).ToList();
        var arranged = 0;
        var free = new Queue<TaskNode>(added.Where(node => waits[node].Count == 0));
        while (free.TryDequeue(out var node))
        {
            node.Order = places[arranged++];
            left.Remove(node);
            foreach (var dependent in dependents[node])
                if (--left[dependent] == 0)
                    free.Enqueue(dependent);
        }
        if (left.Count == 0)
            return null;

        // Each of what is left waits for something that is left. Following that must come round.
        var seen = new HashSet<TaskNode>();
        var next = added.First(left.ContainsKey);
        while (seen.Add(next))
            next = waits[next].First(left.ContainsKey);
        return next;
    }

    /// <summary>Most plans name a step before they name what waits for it.</summary>
    private bool IsArranged(IReadOnlyList<TaskNode> added, IReadOnlyList<IReadOnlyList<NamedDependency>> after)
    {
        for (var i = 0; i < added.Count; i++)
            for (var j = 0; j < after[i].Count; j++)
                if (Find(after[i][j].Name) is { } on && on.Order >= added[i].Order)
                    return false;
        return true;
    }

    /// <summary>Makes <paramref name="node"/> wait for exactly these. False when that would close a cycle; then it waits
    /// for what it did before.</summary>
    public bool TryConnect(TaskNode node, IReadOnlyList<Edge> after)
    {
        var before = node.After.ToArray();
        Disconnect(node);
        if (TryLink(node, after))
            return true;

        // The order was mended for the edges that came before the bad one, perhaps against the old ones. Those are legal,
        // so it can be mended back.
        Disconnect(node);
        TryLink(node, before);
        return false;
    }

    /// <summary>Makes a task wait for these too. False when that would close a cycle; then nothing has changed.</summary>
    public bool TryExtend(TaskNode node, IReadOnlyList<Edge> more) => TryLink(node, more);

    /// <summary>Takes the latest dependencies of a task away again.</summary>
    public static void Retract(TaskNode node, int count)
    {
        foreach (var edge in node.After.TakeLast(count))
            Unlink(node, edge);
        node.After.RemoveRange(node.After.Count - count, count);
    }

    /// <summary>Connects a whole graph at once, as it was read back: one topological sort (A. B. Kahn, 1962) instead of
    /// an order mended edge by edge. False when there is a cycle.</summary>
    public bool TryConnectAll(IEnumerable<(TaskNode Node, IReadOnlyList<Edge> After)> shape)
    {
        foreach (var (node, after) in shape)
            foreach (var edge in after)
                Link(node, edge);

        var waiting = _byId.Values.ToDictionary(node => node, node => node.After.Count);
        var free = new Queue<TaskNode>(_byId.Values.Where(node => node.After.Count == 0));
        _nextOrder = 0;
        while (free.TryDequeue(out var node))
        {
            node.Order = _nextOrder++;
            foreach (var edge in node.Dependents)
                if (--waiting[edge.Node] == 0)
                    free.Enqueue(edge.Node);
        }
        return _nextOrder == Count;
    }

    public static int CountOpen(TaskNode node)
    {
        var open = (node.AwaitsResolution ? 1 : 0) + (node.AwaitsApproval ? 1 : 0) + (node.IsHeld ? 1 : 0);
        foreach (var edge in node.After)
            if (!edge.Node.IsMet(edge) && !(Mutants.DependencyCountOffByOne && open == 1))
                open++;
        return open;
    }

    private bool TryLink(TaskNode node, IReadOnlyList<Edge> after)
    {
        // From the latest in the order: behind that one the task is behind all the others too, and they cost nothing.
        if (!IsBehind(node, after))
            foreach (var edge in after.OrderByDescending(edge => edge.Node.Order))
                if (!TryOrder(edge.Node, node))
                    return false;
        // Most are connected once: no room for more than that. What is extended later doubles by itself.
        if (node.After.Capacity == 0)
            node.After.Capacity = after.Count;
        foreach (var edge in after)
            Link(node, edge);
        return true;
    }

    /// <summary>Whether the order agrees with these edges as it is.</summary>
    private bool IsBehind(TaskNode node, IReadOnlyList<Edge> after)
    {
        for (var i = 0; i < after.Count; i++)
            if (after[i].Node.Order >= node.Order)
                return false;
        VisitCount += after.Count;
        return true;
    }

    private static void Link(TaskNode node, Edge edge)
    {
        node.IsReshaped = true;
        node.After.Add(edge);
        var dependents = edge.Node.Dependents;
        // Many have one dependent, and a list that is empty begins with room for four.
        if (dependents.Capacity == 0)
            dependents.Capacity = 1;
        dependents.Add(edge with { Node = node });
    }

    // From the end: what was connected last is what is taken back most often.
    private static void Unlink(TaskNode node, Edge edge) =>
        edge.Node.Dependents.RemoveAt(edge.Node.Dependents.LastIndexOf(edge with { Node = node }));

    private static void Disconnect(TaskNode node)
    {
        foreach (var edge in node.After)
            Unlink(node, edge);
        node.IsReshaped = true;
        node.After.Clear();
    }

    /// <summary>Reorders so that <paramref name="first"/> comes before <paramref name="then"/>; false when it cannot,
    /// because <paramref name="first"/> already waits for <paramref name="then"/>.</summary>
    private bool TryOrder(TaskNode first, TaskNode then)
    {
        VisitCount++;
        if (first.Order < then.Order)
            return true;
        if (ReferenceEquals(first, then))
            return false;

        var later = Reach(then, node => node.Dependents, node => node.Order <= first.Order);
        if (later.Contains(first) && !Mutants.CycleCheckOff)
            return false;
        var earlier = Reach(first, node => node.After, node => node.Order >= then.Order);

        var moved = earlier.OrderBy(node => node.Order).Concat(later.OrderBy(node => node.Order)).ToList();
        var places = moved.Select(node => node.Order).Order().ToList();
        for (var i = 0; i < moved.Count; i++)
            moved[i].Order = places[i];
        return true;
    }

    private HashSet<TaskNode> Reach(TaskNode start, Func<TaskNode, List<Edge>> next, Func<TaskNode, bool> within)
    {
        var reached = new HashSet<TaskNode> { start };
        var open = new Stack<TaskNode>([start]);
        while (open.TryPop(out var node))
            foreach (var edge in next(node))
                if (within(edge.Node) && reached.Add(edge.Node))
                    open.Push(edge.Node);
        VisitCount += reached.Count;
        return reached;
    }
}
