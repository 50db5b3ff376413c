namespace Astra.Kernel.Actors;

/// <summary>
/// Children that are restarted together: all of them are halted, youngest first, before any is started again, oldest
/// first, and not before the backoff is over.
/// </summary>
internal sealed class RestartGroup(List<ActorCell> members)
{
    private bool _isBackoffOver;
    private ActorCell? _suspect;

    /// <summary>Oldest first.</summary>
    public List<ActorCell> Members => members;

    public bool IsReady => _isBackoffOver && members.TrueForAll(static member => member.HasHalted);

    public void BackoffIsOver() => _isBackoffOver = true;

    /// <summary>Its members have been started again, or have gone over to a wider group.</summary>
    public bool IsOver { get; set; }

    /// <summary>
    /// A member that has not even looked at the command, or is in its farewell still although its children are gone.
    /// </summary>
    public ActorCell? Stuck()
    {
        foreach (var member in members)
        {
            if (member.RestartGroup != this || member.HasHalted)
                continue;
            if (member.State != ActorState.Halting)
                return member;
            if (!member.Supervisor.IsEmpty)
                continue;
            if (_suspect == member)
                return member;
            _suspect = member;
        }

        return null;
    }
}

/// <summary>The recent restarts, which tell how long the next backoff is and when enough is enough.</summary>
internal sealed class RestartHistory
{
    private readonly Queue<TimeSpan> _restartsAt = new();

    /// <summary>How many restarts there have been within the window, this one included.</summary>
    public int Record(TimeSpan now, TimeSpan window)
    {
        while (_restartsAt.TryPeek(out var oldest) && now - oldest > window)
            _restartsAt.Dequeue();
        _restartsAt.Enqueue(now);
        return _restartsAt.Count;
    }
}
