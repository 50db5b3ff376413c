namespace Astra.Kernel.Actors;

/// <summary>
/// One life of an actor: its instance, and the synchronization context in which its handlers run and continue. Once
/// revoked it stays revoked: whatever is still running inside it may go on, but nobody hears it any more.
/// </summary>
internal sealed class Incarnation : ActorTurn
{
    private volatile bool _isRevoked;
    private bool _hasEnded;
    private bool _hasPosted;
    private CancellationTokenSource? _ending;

    public Incarnation(ActorCell cell, Actor actor, int number)
    {
        Cell = cell;
        Actor = actor;
        Number = number;
        if (cell.Options.MessageDeadline is not null)
            Guard = new HandlingGuard();
    }

    public ActorCell Cell { get; }

    public Actor Actor { get; }

    public int Number { get; }

    /// <summary>Only where messages have a deadline.</summary>
    public HandlingGuard? Guard { get; }

    public new bool IsRevoked => _isRevoked;

    /// <summary>Cancelled when the actor is asked to stop and when this incarnation is revoked.</summary>
    public new CancellationToken Ending
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

    /// <summary>
    /// From here on nobody hears it. Cancelling what it awaits is a second step, see <see cref="End"/>.
    /// </summary>
    /// <param name="isLeft">No thread is inside and no handler is waited for. Unless it goes on after an await of its own
    /// it runs nowhere any more, and nobody who sends need look for it: most restarts cost their neighbours nothing.</param>
    public void Revoke(bool isLeft = false)
    {
        _isRevoked = true;
        Interlocked.MemoryBarrier();
        if (!isLeft || Volatile.Read(ref _hasPosted))
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

    public override void Post(SendOrPostCallback d, object? state)
    {
        // Either we see that it is revoked, or whoever revokes it sees that it goes on.
        if (!Volatile.Read(ref _hasPosted))
        {
            Volatile.Write(ref _hasPosted, true);
            Interlocked.MemoryBarrier();
        }

        if (_isRevoked)
            Cell.System.IncarnationRevoked();
        Cell.System.Dispatcher.Post(new Continuation(this, d, state));
    }

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
