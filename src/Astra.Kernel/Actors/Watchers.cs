namespace Astra.Kernel.Actors;

/// <summary>Who wants to hear of an actor's end. Any thread.</summary>
internal sealed class Watchers(ActorCell watched)
{
    private readonly Lock _gate = new();
    private List<Incarnation>? _watchers = [];

    public void Add(Incarnation watcher)
    {
        lock (_gate)
        {
            if (_watchers is not null)
            {
                // The incarnations of a watcher that restarts often must not pile up here: when the list would have
                // to grow, those that are over leave it.
                if (_watchers.Count == _watchers.Capacity)
                    _watchers.RemoveAll(static other => other.IsRevoked);
                if (!_watchers.Contains(watcher))
                    _watchers.Add(watcher);
            }
            else
            {
                Tell(watcher);
            }
        }

        // The end may have come while nobody was written down here, and then nobody else tells.
        if (watched.IsBuried)
            TellAll();
    }

    public void Remove(Incarnation watcher)
    {
        lock (_gate)
            _watchers?.Remove(watcher);
    }

    /// <summary>The end has come: each is told once. Whoever asks from here on is answered at once.</summary>
    public void TellAll()
    {
        List<Incarnation>? watchers;
        lock (_gate)
        {
            watchers = _watchers;
            _watchers = null;
        }

        foreach (var watcher in watchers ?? [])
            Tell(watcher);
    }

    private void Tell(Incarnation watcher) => watcher.Cell.SendToIncarnation(new Terminated(watched), watcher);
}
