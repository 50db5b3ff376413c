namespace Astra.Kernel.Actors;

/// <summary>
/// Who is inside the handler of an actor whose messages have a deadline, and since when: what the thread that runs the
/// handler and the <see cref="Watchdog"/> that may take the turn away from it agree on.
/// </summary>
internal sealed class HandlingGuard
{
    // The grip of the thread that is inside: which call it is, and these two flags.
    private const long Inside = 1, Taken = 2, OneCall = 4;

    private const long NotBusy = -1;

    private long _grip;
    private long _busySinceTicks = NotBusy;

    /// <summary>Where the watchdog keeps the incarnation in its list; the watchdog's alone.</summary>
    public int WatchdogIndex { get; set; } = -1;

    /// <summary>The message being handled, for the watchdog's report.</summary>
    public object? Handling { get; private set; }

    /// <summary>Before a handler of an actor with a message deadline is called. A full fence.</summary>
    public void Enter(object? message, TimeSpan now)
    {
        Handling = message;
        Volatile.Write(ref _busySinceTicks, now.Ticks);
        Interlocked.Exchange(ref _grip, (_grip | Inside) + OneCall);
    }

    /// <summary>
    /// After it has returned. False: it took too long, the turn belongs to somebody else, touch nothing.
    /// </summary>
    public bool Leave()
    {
        long grip = Volatile.Read(ref _grip);
        return (grip & (Inside | Taken)) == Inside
            && Interlocked.CompareExchange(ref _grip, grip & ~Inside, grip) == grip;
    }

    /// <summary>The call in progress, to be handed to <see cref="TryTake"/>.</summary>
    public long Grip => Volatile.Read(ref _grip);

    /// <summary>
    /// Takes the turn away from the thread that is inside the handler, if it is still in that same call.
    /// </summary>
    public bool TryTake(long grip) =>
        (grip & (Inside | Taken)) == Inside
        && Interlocked.CompareExchange(ref _grip, grip | Taken, grip) == grip;

    public bool IsTaken => (Volatile.Read(ref _grip) & Taken) != 0;

    public void NotBusyAnyMore() => Volatile.Write(ref _busySinceTicks, NotBusy);

    /// <summary>Since when the current message has been handled; null between messages.</summary>
    public TimeSpan? BusySince
    {
        get
        {
            long ticks = Volatile.Read(ref _busySinceTicks);
            return ticks == NotBusy ? null : TimeSpan.FromTicks(ticks);
        }
    }
}
