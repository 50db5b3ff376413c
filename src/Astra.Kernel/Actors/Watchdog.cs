namespace Astra.Kernel.Actors;

/// <summary>
/// Finds actors that have been on one message for longer than they may, and takes them off it. It rides on the
/// dispatcher's timer, which must not share a thread with turns: a handler that spins would otherwise stop the watch
/// that is to find it.
/// </summary>
/// <remarks>No timer runs while every watched actor is between messages, so an idle system is quiet.</remarks>
internal sealed class Watchdog(ActorSystem system)
{
    private const long Unarmed = long.MaxValue;

    private readonly List<Incarnation> _watched = [];
    private readonly Lock _gate = new();
    private long _armedForTicks = Unarmed;

    public void Add(Incarnation incarnation)
    {
        lock (_gate)
        {
            incarnation.WatchdogIndex = _watched.Count;
            _watched.Add(incarnation);
        }
    }

    public void Remove(Incarnation incarnation)
    {
        lock (_gate)
        {
            if (incarnation.WatchdogIndex < 0)
                return;
            var last = _watched[^1];
            _watched[incarnation.WatchdogIndex] = last;
            last.WatchdogIndex = incarnation.WatchdogIndex;
            incarnation.WatchdogIndex = -1;
            _watched.RemoveAt(_watched.Count - 1);
        }
    }

    /// <summary>The incarnation begins on a message (or on a hook, when null).</summary>
    public void Enter(Incarnation incarnation, object? message)
    {
        var now = system.Clock.Elapsed;
        incarnation.Enter(message, now);
        // Busy first, then this look; the watch disarms first, then looks who is busy. Entering is a full fence.
        long due = (now + incarnation.Cell.Options.MessageDeadline!.Value).Ticks;
        if (due < Volatile.Read(ref _armedForTicks))
            Arm(due);
    }

    private void Arm(long due)
    {
        lock (_gate)
        {
            if (due >= _armedForTicks)
                return;
            Volatile.Write(ref _armedForTicks, due);
        }

        var delay = TimeSpan.FromTicks(Math.Max(due - system.Clock.Elapsed.Ticks, 0));
        system.Dispatcher.Schedule(delay, () => Look(due));
    }

    private void Look(long armedFor)
    {
        List<(Incarnation Incarnation, long Grip, TimeSpan BusySince)>? overdue = null;
        long nextDue = Unarmed;
        lock (_gate)
        {
            // An earlier timer has taken over from this one.
            if (armedFor != _armedForTicks)
                return;
            Volatile.Write(ref _armedForTicks, Unarmed);
            Interlocked.MemoryBarrier();
            long now = system.Clock.Elapsed.Ticks;
            foreach (var incarnation in _watched)
            {
                // The grip first: if it is still the same when it is taken, the time belongs to the same call.
                long grip = incarnation.Grip;
                if (incarnation.BusySince is not { } since || incarnation.IsRevoked)
                    continue;
                long deadline = incarnation.Cell.Options.MessageDeadline!.Value.Ticks;
                long due = since.Ticks + deadline;
                if (due <= now)
                {
                    (overdue ??= []).Add((incarnation, grip, since));
                    // It may slip through our fingers: we look again.
                    due = now + deadline;
                }

                nextDue = Math.Min(nextDue, due);
            }
        }

        foreach (var (incarnation, grip, since) in overdue ?? [])
            TakeOff(incarnation, grip, since);
        if (nextDue != Unarmed)
            Arm(nextDue);
    }

    private void TakeOff(Incarnation incarnation, long grip, TimeSpan since)
    {
        var notice = new WedgedNotice(incarnation, since);
        if (incarnation.TryTake(grip))
        {
            // The turn was that thread's and is ours now. Counted before it is revoked, see Activity.OnCompleted.
            system.Lost.LoseThread(incarnation.Cell);
            incarnation.Revoke();
            incarnation.Cell.TakeOver(notice);
        }
        else
        {
            // It awaits, or has just finished; the actor's own turn can tell which.
            incarnation.Cell.Tell(notice);
        }
    }
}
