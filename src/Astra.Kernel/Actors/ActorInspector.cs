namespace Astra.Kernel.Actors;

/// <summary>
/// Looks at the tree of actors while it runs. Nothing is stopped for it: each list of children is copied under its
/// supervisor's lock, everything else is read as it is at that moment, on the thread of whoever asks.
/// </summary>
internal sealed class ActorInspector(ActorCell root, IClock clock)
{
    private static readonly IReadOnlyList<ActorBranch> None = [];

    /// <summary>Null when there is no actor of that path.</summary>
    public ActorCell? Find(string path)
    {
        if (!path.StartsWith('/'))
            return null;
        var cell = root;
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (cell.KnownSupervisor?.Child(name) is not { } child)
                return null;
            cell = child;
        }
        return cell;
    }

    public ActorBranch? Look(ActorQuery query)
    {
        if (Find(query.Under) is not { } cell)
            return null;
        var room = ActorQuery.ActorsMax - 1;
        return Describe(cell, Math.Clamp(query.Depth, 0, ActorQuery.DepthMax), Math.Clamp(query.ChildrenMax, 0, ActorQuery.ChildrenLimit), ref room);
    }

    public ActorCensus Count(int listedMax)
    {
        var totals = default(ActorTotals);
        var depthMax = 0;
        var deepest = new PriorityQueue<ActorCell, (long, long)>();
        var busiest = new PriorityQueue<ActorCell, (long, long)>();
        foreach (var cell in Below(root))
        {
            totals = totals.With(cell);
            var depth = cell.MailboxDepth;
            depthMax = Math.Max(depthMax, depth);
            if (depth > 0)
                Keep(deepest, cell, (depth, cell.ProcessedCount), listedMax);
            if (cell.ProcessedCount is var processed and > 0)
                Keep(busiest, cell, (processed, depth), listedMax);
        }
        return new ActorCensus(totals, depthMax, Take(deepest), Take(busiest));
    }

    private ActorBranch Describe(ActorCell cell, int depth, int childrenMax, ref int room)
    {
        var children = cell.KnownSupervisor?.Copy() ?? [];
        var listed = depth == 0 ? [] : Choose(children, Math.Min(childrenMax, room));
        room -= listed.Count;
        var branches = new List<ActorBranch>(listed.Count);
        foreach (var child in listed)
            branches.Add(Describe(child, depth - 1, childrenMax, ref room));
        return Describe(cell, children.Count, branches, Sum(children, listed));
    }

    private ActorBranch Describe(ActorCell cell, int childCount, IReadOnlyList<ActorBranch> children, ActorTotals unlisted) => new()
    {
        Path = cell.ToString(),
        State = cell.State,
        MailboxDepth = cell.MailboxDepth,
        MailboxCapacityMax = cell.Options.MailboxCapacityMax,
        ProcessedCount = cell.ProcessedCount,
        RestartCount = cell.RestartCount,
        LastFailure = cell.LastFailure,
        MessageAge = cell.MessageSince is { } since ? clock.Elapsed - since : null,
        ChildCount = childCount,
        Children = children,
        Unlisted = unlisted,
    };

    /// <summary>Those that need attention: not running, then the deepest mailbox, then the most restarts, then the busiest,
    /// then the oldest.</summary>
    private static List<ActorCell> Choose(List<ActorCell> children, int countMax)
    {
        List<ActorCell> chosen;
        if (children.Count <= countMax)
            chosen = [.. children];
        else
        {
            var best = new PriorityQueue<ActorCell, (bool, int, int, long, long)>();
            foreach (var child in children)
                Keep(best, child, (child.State != ActorState.Running, child.MailboxDepth, child.RestartCount, child.ProcessedCount, -child.SpawnNumber), countMax);
            chosen = [.. best.UnorderedItems.Select(item => item.Element)];
        }
        chosen.Sort(static (a, b) => a.SpawnNumber.CompareTo(b.SpawnNumber));
        return chosen;
    }

    private static ActorTotals Sum(List<ActorCell> children, List<ActorCell> listed)
    {
        var totals = default(ActorTotals);
        var isListed = listed.ToHashSet();
        foreach (var child in children)
        {
            if (isListed.Contains(child))
                continue;
            totals = totals.With(child);
            foreach (var below in Below(child))
                totals = totals.With(below);
        }
        return totals;
    }

    private static IEnumerable<ActorCell> Below(ActorCell top)
    {
        var open = new Stack<ActorCell>([top]);
        while (open.TryPop(out var cell))
        {
            foreach (var child in cell.KnownSupervisor?.Copy() ?? [])
            {
                yield return child;
                if (child.KnownSupervisor is not null)
                    open.Push(child);
            }
        }
    }

    private static void Keep<TKey>(PriorityQueue<ActorCell, TKey> best, ActorCell cell, TKey key, int countMax)
    {
        if (best.Count < countMax)
            best.Enqueue(cell, key);
        else if (countMax > 0)
            best.EnqueueDequeue(cell, key);
    }

    private List<ActorBranch> Take<TKey>(PriorityQueue<ActorCell, TKey> best)
    {
        var taken = new List<ActorBranch>(best.Count);
        while (best.TryDequeue(out var cell, out _))
            taken.Add(Describe(cell, cell.KnownSupervisor?.Count ?? 0, None, default));
        taken.Reverse();
        return taken;
    }
}
