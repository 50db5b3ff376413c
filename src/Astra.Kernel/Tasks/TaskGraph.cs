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
    private int _nextOrder;

    public int Count => _byId.Count;

    public IEnumerable<TaskNode> Tasks => _byId.Values;

    public TaskNode? Find(TaskId id) => _byId.GetValueOrDefault(id);

    public TaskNode? Find(string name) => _byName.GetValueOrDefault(name);

    public TaskNode this[TaskId id] => _byId[id];

    public void Add(TaskNode node)
    {
        _byName.Add(node.Spec.Name, node);
        _byId.Add(node.Id, node);
        node.Order = _nextOrder++;
    }

    /// <summary>Takes the task and the edges to what it waited for away. Nothing may wait for it any more.</summary>
    public void Remove(TaskNode node)
    {
        if (node.Dependents.Count > 0)
            throw new InvalidOperationException($"Task {node.Id} cannot be removed while others wait for it.");
        Disconnect(node);
        _byId.Remove(node.Id);
        _byName.Remove(node.Spec.Name);
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
        var open = node.AwaitsResolution ? 1 : 0;
        foreach (var edge in node.After)
            if (!edge.Node.IsMet(edge.Kind))
                open++;
        return open;
    }

    private static bool TryLink(TaskNode node, IReadOnlyList<Edge> after)
    {
        foreach (var edge in after)
        {
            if (!TryOrder(edge.Node, node))
                return false;
            Link(node, edge);
        }
        return true;
    }

    private static void Link(TaskNode node, Edge edge)
    {
        node.IsReshaped = true;
        node.After.Add(edge);
        edge.Node.Dependents.Add(new Edge(node, edge.Kind));
    }

    private static void Disconnect(TaskNode node)
    {
        foreach (var edge in node.After)
            edge.Node.Dependents.Remove(new Edge(node, edge.Kind));
        node.IsReshaped = true;
        node.After.Clear();
    }

    /// <summary>Reorders so that <paramref name="first"/> comes before <paramref name="then"/>; false when it cannot,
    /// because <paramref name="first"/> already waits for <paramref name="then"/>.</summary>
    private static bool TryOrder(TaskNode first, TaskNode then)
    {
        if (first.Order < then.Order)
            return true;
        if (ReferenceEquals(first, then))
            return false;

        var later = Reach(then, node => node.Dependents, node => node.Order <= first.Order);
        if (later.Contains(first))
            return false;
        var earlier = Reach(first, node => node.After, node => node.Order >= then.Order);

        var moved = earlier.OrderBy(node => node.Order).Concat(later.OrderBy(node => node.Order)).ToList();
        var places = moved.Select(node => node.Order).Order().ToList();
        for (var i = 0; i < moved.Count; i++)
            moved[i].Order = places[i];
        return true;
    }

    private static HashSet<TaskNode> Reach(TaskNode start, Func<TaskNode, List<Edge>> next, Func<TaskNode, bool> within)
    {
        var reached = new HashSet<TaskNode> { start };
        var open = new Stack<TaskNode>([start]);
        while (open.TryPop(out var node))
            foreach (var edge in next(node))
                if (within(edge.Node) && reached.Add(edge.Node))
                    open.Push(edge.Node);
        return reached;
    }
}
