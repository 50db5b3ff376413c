namespace Astra.Kernel.Actors;

/// <summary>
/// Children that are restarted together: all of them are halted, youngest first, before any is started again, oldest
/// first, and not before the backoff is over.
/// </summary>
internal sealed class RestartGroup(List<ActorCell> members)
{
    private bool _isBackoffOver;

    /// <summary>Oldest first.</summary>
    public List<ActorCell> Members => members;

    public bool IsReady => _isBackoffOver && members.TrueForAll(static member => member.HasHalted);

    public void BackoffIsOver() => _isBackoffOver = true;
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
