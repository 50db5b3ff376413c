namespace Astra.Kernel.Actors;

/// <summary>
/// The children of one supervisor that were told to stop and are still here. Whoever awaits something is given up by
/// its own turn at its stop deadline. A thread that is stuck inside a child has no turn to do it in, so the supervisor
/// looks after its children, and those that show no life are forsaken: they must not keep it from stopping or from
/// being rebuilt.
/// </summary>
/// <remarks>No timer runs while nobody is expected to leave.</remarks>
internal sealed class Departures(ActorCell cell)
{
    private readonly Dictionary<ActorCell, TimeSpan> _expectedSince = [];
    private readonly HashSet<ActorCell> _suspects = [];
    private readonly Lock _gate = new();
    private IDisposable? _look;

    /// <summary>Any thread.</summary>
    public void Expect(ActorCell child)
    {
        lock (_gate)
        {
            _expectedSince.TryAdd(child, cell.System.Clock.Elapsed);
            _look ??= LookAfter(child.Patience);
        }

        // It may have gone before we wrote it down.
        if (child.State == ActorState.Stopped)
            HasLeft(child);
    }

    /// <summary>On the supervisor's turn.</summary>
    public void ExpectAll(List<ActorCell> children)
    {
        foreach (var child in children)
            Expect(child);
    }

    public void HasLeft(ActorCell child)
    {
        lock (_gate)
        {
            _suspects.Remove(child);
            if (!_expectedSince.Remove(child) || _expectedSince.Count > 0)
                return;
            _look?.Dispose();
            _look = null;
        }
    }

    /// <summary>On the supervisor's turn: who shows no life, oldest first.</summary>
    public List<ActorCell> Look(List<ActorCell> children)
    {
        var stuck = new List<ActorCell>();
        lock (_gate)
        {
            _look = null;
            TimeSpan? next = null;
            foreach (var child in children)
            {
                if (!_expectedSince.TryGetValue(child, out var since))
                    continue;
                var due = since + child.Patience - cell.System.Clock.Elapsed;
                if (due <= TimeSpan.Zero && IsStuck(child))
                {
                    stuck.Add(child);
                    continue;
                }

                var wait = due > TimeSpan.Zero ? due : child.Patience;
                next = next < wait ? next : wait;
            }

            if (next is { } delay)
                _look = LookAfter(delay);
        }

        return stuck;
    }

    private bool IsStuck(ActorCell child)
    {
        bool isLeaf = child.Supervisor.IsEmpty;
        if (child.HasTakenStop && !isLeaf)
        {
            // It waits for children of its own, and looks after them as we do after it.
            _suspects.Remove(child);
            return false;
        }

        if (!child.HasTakenStop && isLeaf)
            return true;
        // Either its last child has just gone and this is its farewell, or it does not pass the stop on to its children:
        // then we do. The second look tells.
        if (!_suspects.Add(child))
            return true;
        if (!child.HasTakenStop)
            child.Supervisor.StopAll();
        return false;
    }

    private IDisposable LookAfter(TimeSpan delay) =>
        cell.System.Dispatcher.Schedule(delay, () => cell.Tell(new LookAtDepartures()));
}
