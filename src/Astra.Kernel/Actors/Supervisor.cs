namespace Astra.Kernel.Actors;

/// <summary>
/// The parent's side of supervision: who the children are, and what is done when one of them fails. Decisions are
/// made on the parent's turn; only spawning and looking may come from other threads.
/// </summary>
internal sealed class Supervisor(ActorCell cell)
{
    private readonly Siblings _children = new();
    private readonly Lock _gate = new();
    private long _spawnedCount;
    private bool _isClosed;
    private RestartHistory? _history;
    private List<ActorCell>? _escalated;
    private Departures? _departures;

    private SupervisionPolicy Policy => cell.Options.Children;

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
                return _children.IsEmpty;
        }
    }

    /// <param name="options">What to spawn.</param>
    /// <param name="parent">Whose child it will be.</param>
    /// <param name="by">The incarnation that spawns; null from outside, at the root.</param>
    public ActorCell Spawn(ActorOptions options, ActorCell parent, Incarnation? by)
    {
        options.Check();
        ActorCell child;
        lock (_gate)
        {
            if (_isClosed || cell.IsEnding || by is { IsRevoked: true })
                throw new ActorStoppedException(parent.ToString());
            child = new ActorCell(cell.System, cell, options, ++_spawnedCount);
            if (!_children.TryAdd(child))
                throw new ActorNameTakenException(cell.ToString(), options.Name!);
        }

        child.StartFirst();
        return child;
    }

    /// <summary>Every child, oldest first.</summary>
    public List<ActorCell> Children()
    {
        lock (_gate)
            return _children.ToList();
    }

    public int Count
    {
        get
        {
            lock (_gate)
                return _children.Count;
        }
    }

    public ActorCell? Child(string name)
    {
        lock (_gate)
            return _children.Find(name);
    }

    /// <summary>Every child, oldest first, as an operator looks at them: a few thousand at a time, so that a family of a
    /// million does not keep anybody from spawning. One that comes or goes meanwhile may be missing.</summary>
    public List<ActorCell> Copy()
    {
        const int AtOnceMax = 4_096;
        var children = new List<ActorCell>();
        int before;
        do
        {
            before = children.Count;
            lock (_gate)
                _children.CopyYounger(before == 0 ? null : children[^1], AtOnceMax, children);
        }
        while (children.Count - before == AtOnceMax);
        return children;
    }

    public IReadOnlyList<ActorSnapshot> Snapshots() => Children().ConvertAll(static child => child.Snapshot());

    /// <summary>No more children, and an end to those there are, youngest first.</summary>
    public void StopAll()
    {
        lock (_gate)
            _isClosed = true;
        var children = Children();
        for (int i = children.Count - 1; i >= 0; i--)
            children[i].Tell(new StopCommand());
        if (children.Count > 0)
            Departures.ExpectAll(children);
    }

    /// <summary>The children that were told to stop and are still here.</summary>
    public Departures Departures =>
        Volatile.Read(ref _departures)
        ?? Interlocked.CompareExchange(ref _departures, new Departures(cell), null)
        ?? _departures!;

    public void LookAtDepartures()
    {
        foreach (var stuck in Departures.Look(Children()))
            Forsake(stuck);
    }

    // The name is free before a watcher hears of the end, as always.
    private void Forsake(ActorCell stuck)
    {
        stuck.Forsake();
        OnChildStopped(stuck);
        stuck.Watchers.TellAll();
    }

    public void Reopen()
    {
        _history = null;
        _escalated = null;
        lock (_gate)
            _isClosed = false;
    }

    public void OnChildFailed(ActorCell child, Exception why, object? message, bool canResume)
    {
        // A child that is stopping with all of us, is gone, or is being restarted with its group needs no decision.
        if (_isClosed || child.RestartGroup is not null || !IsMine(child))
            return;

        var (directive, delay) = Decide(child, ref why, canResume);
        if (cell.System.IsObserved)
            cell.System.Publish(new FailureDecided(child, why, directive, delay));
        switch (directive)
        {
            case Directive.Resume:
                child.Tell(new ResumeCommand());
                break;
            case Directive.Restart:
                BeginRestart(child, why, message, delay);
                break;
            case Directive.Stop:
                child.Tell(new StopCommand());
                break;
            default:
                Escalate(child, why);
                break;
        }
    }

    /// <summary>No failure, so neither the policy's directive nor its intensity is asked; see ActorOperator.</summary>
    public void OnRestartRequested(ActorCell child, Exception why)
    {
        if (_isClosed || child.RestartGroup is not null || !IsMine(child))
            return;
        _escalated?.Remove(child);
        BeginRestart(child, why, message: null, TimeSpan.Zero);
    }

    private (Directive, TimeSpan Delay) Decide(ActorCell child, ref Exception why, bool canResume)
    {
        Directive directive;
        try
        {
            directive = Policy.Decide(why);
            if (!Enum.IsDefined(directive))
                throw new InvalidPolicyException($"There is no directive {directive}.");
        }
        catch (Exception broken)
        {
            why = new AggregateException($"The supervision policy of {cell} threw.", broken, why);
            directive = Directive.Escalate;
        }

        if (directive == Directive.Resume && !canResume)
            directive = Directive.Restart;
        if (directive != Directive.Restart)
            return (directive, TimeSpan.Zero);

        var history = Policy.Strategy == RestartStrategy.OneForOne
            ? child.RestartHistory ??= new RestartHistory()
            : _history ??= new RestartHistory();
        int restart = history.Record(cell.System.Clock.Elapsed, Policy.Intensity.Window);
        if (restart <= Policy.Intensity.RestartsMax)
            return (Directive.Restart, Policy.Backoff.Before(restart, cell.System.Randomness));
        why = new RestartIntensityException(child.Path, Policy.Intensity, why);
        return (Directive.Escalate, TimeSpan.Zero);
    }

    private void BeginRestart(ActorCell failed, Exception why, object? message, TimeSpan delay)
    {
        var group = new RestartGroup(Affected(failed));
        for (int i = group.Members.Count - 1; i >= 0; i--)
        {
            var member = group.Members[i];
            bool isToldAlready = member.RestartGroup is not null;
            member.RestartGroup = group;
            if (!isToldAlready)
                member.Tell(new RestartCommand(why, member == failed ? message : null));
        }

        cell.System.Dispatcher.Schedule(delay, new BackoffElapsed(cell, group).Tell);
    }

    // A group that is still halting when a second failure widens it is taken over whole, or two groups would start
    // their members in two orders.
    private List<ActorCell> Affected(ActorCell failed)
    {
        if (Policy.Strategy == RestartStrategy.OneForOne)
            return [failed];
        var siblings = Children();
        long oldest = Policy.Strategy == RestartStrategy.OneForAll ? 0 : failed.SpawnNumber;
        foreach (var sibling in siblings)
        {
            if (sibling.SpawnNumber >= oldest && sibling.RestartGroup is { } overlapping)
                oldest = Math.Min(oldest, overlapping.Members[0].SpawnNumber);
        }

        siblings.RemoveAll(sibling => sibling.SpawnNumber < oldest);
        return siblings;
    }

    public void OnChildHalted(ActorCell child)
    {
        if (child.RestartGroup is not { } group)
            return;
        child.HasHalted = true;
        StartIfReady(group);
    }

    public void OnBackoffElapsed(RestartGroup group)
    {
        group.BackoffIsOver();
        StartIfReady(group);
        if (!group.IsOver)
            ExpectRestart(group);
    }

    private void ExpectRestart(RestartGroup group)
    {
        var patience = TimeSpan.Zero;
        foreach (var member in group.Members)
            patience = member.Patience > patience ? member.Patience : patience;
        cell.System.Dispatcher.Schedule(patience, () => cell.Tell(new RestartOverdue(group)));
    }

    /// <summary>
    /// Somebody in the group has not said goodbye. If a thread is stuck in it, no restart will ever come of this, and
    /// a group must not be started without one of its members: that is beyond this supervisor.
    /// </summary>
    public void OnRestartOverdue(RestartGroup group)
    {
        if (_isClosed || group.IsOver)
            return;
        var stuck = group.Stuck();
        if (stuck is null)
        {
            ExpectRestart(group);
            return;
        }

        var why = new ActorWedgedException(stuck.Path, stuck.Patience);
        Escalate(stuck, why);
        if (cell.Parent is null)
            Forsake(stuck);
        else
            ExpectRestart(group);
    }

    public void OnChildStopped(ActorCell child)
    {
        lock (_gate)
        {
            if (!_children.Remove(child))
                return;
        }

        _departures?.HasLeft(child);
        _escalated?.Remove(child);
        if (child.RestartGroup is { } group)
        {
            group.Members.Remove(child);
            StartIfReady(group);
        }
    }

    private static void StartIfReady(RestartGroup group)
    {
        if (!group.IsReady)
            return;
        foreach (var member in group.Members)
        {
            // A member may have gone over to a wider group, which will start it in its turn.
            if (member.RestartGroup != group)
                continue;
            member.RestartGroup = null;
            member.HasHalted = false;
            member.Tell(new StartCommand());
        }

        group.IsOver = true;
    }

    private void Escalate(ActorCell child, Exception why)
    {
        if (cell.Parent is null)
        {
            // Nobody is left to ask. The branch is stopped, and the host is told that it is not well.
            cell.System.Publish(new NodeFailed(child, why));
            child.Tell(new StopCommand());
            return;
        }

        (_escalated ??= []).Add(child);
        cell.Fail(why, message: null, sender: null);
    }

    /// <summary>Our own supervisor has forgiven us, so we forgive those whose failure we had passed on.</summary>
    public void ResumeEscalated()
    {
        var escalated = _escalated ?? [];
        _escalated = null;
        foreach (var child in escalated)
        {
            if (child.HasLivingIncarnation)
                child.Tell(new ResumeCommand());
            else
                // Nothing to resume, and a restart at once could fail and escalate in a tight circle.
                BeginRestart(child, new ActorStoppedException(child.Path), message: null, Policy.Backoff.Cap);
        }
    }

    private bool IsMine(ActorCell child)
    {
        lock (_gate)
            return _children.Contains(child);
    }
}
