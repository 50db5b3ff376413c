namespace Astra.Kernel.Actors;

/// <summary>
/// One life of an actor: its instance, and the synchronization context in which its handlers run and continue. Once
/// revoked it stays revoked: whatever is still running inside it may go on, but nobody hears it any more.
/// </summary>
internal sealed class Incarnation : SynchronizationContext
{
    // The grip of the thread that is inside a guarded handler: which call it is, and these two flags.
    private const long Inside = 1, Taken = 2, OneCall = 4;

    private const long NotBusy = -1;

    private volatile bool _isRevoked;
    private bool _hasEnded;
    private long _grip;
    private long _busySinceTicks = NotBusy;
    private CancellationTokenSource? _ending;

    public Incarnation(ActorCell cell, Actor actor, int number)
    {
        Cell = cell;
        Actor = actor;
        Number = number;
        Turn = new ActorTurn(this);
    }

    public ActorCell Cell { get; }

    public Actor Actor { get; }

    public int Number { get; }

    public ActorTurn Turn { get; }

    public bool IsRevoked => _isRevoked;

    /// <summary>Cancelled when the actor is asked to stop and when this incarnation is revoked.</summary>
    public CancellationToken Ending
    {
        get
        {
            var ending = Volatile.Read(ref _ending);
            if (ending is null)
            {
                ending = new CancellationTokenSource();
                ending = Interlocked.CompareExchange(ref _ending, ending, null) ?? ending;
                // The end may have come while nobody held a token.
                if (IsEnding)
                    End();
            }

            return ending.Token;
        }
    }

    private bool IsEnding => _isRevoked || Volatile.Read(ref _hasEnded);

    /// <summary>Where the watchdog keeps this incarnation in its list; the watchdog's alone.</summary>
    public int WatchdogIndex { get; set; } = -1;

    /// <summary>
    /// From here on nobody hears it. Cancelling what it awaits is a second step, see <see cref="End"/>.
    /// </summary>
    public void Revoke()
    {
        _isRevoked = true;
        Cell.System.IncarnationRevoked();
    }

    public void End()
    {
        Volatile.Write(ref _hasEnded, true);
        Interlocked.MemoryBarrier();
        try
        {
            Volatile.Read(ref _ending)?.Cancel();
        }
        catch (AggregateException failure)
        {
            // A callback that a handler registered threw. The stop goes on; the failure is on record.
            Cell.KeepFailure(failure);
        }
    }

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

    public override void Post(SendOrPostCallback d, object? state) =>
        Cell.System.Dispatcher.Post(new Continuation(this, d, state));

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("Blocking on another turn can deadlock; post instead.");

    public override SynchronizationContext CreateCopy() => this;

    private sealed class Continuation(Incarnation incarnation, SendOrPostCallback callback, object? state)
        : IThreadPoolWorkItem
    {
        void IThreadPoolWorkItem.Execute()
        {
            var before = Current;
            SetSynchronizationContext(incarnation);
            try
            {
                callback(state);
            }
            finally
            {
                SetSynchronizationContext(before);
            }
        }
    }
}
