namespace Astra.Kernel.Actors;

/// <summary>
/// Counts the handlers whose incarnation is over and that have not come back, and says when they are more than this
/// process can carry. Any thread.
/// </summary>
internal sealed class LostHandlers(ActorSystem system)
{
    private long _handlerCount;
    private long _threadCount;
    private int _isUnfit;

    public long HandlerCount => Volatile.Read(ref _handlerCount);

    public long ThreadCount => Volatile.Read(ref _threadCount);

    /// <summary>It awaits something, and nobody waits for it any more.</summary>
    public void Lose(ActorCell cell) => Judge(cell, Interlocked.Increment(ref _handlerCount), ThreadCount);

    public void CameBack() => Interlocked.Decrement(ref _handlerCount);

    /// <summary>A thread is inside it.</summary>
    public void LoseThread(ActorCell cell) =>
        Judge(cell, Interlocked.Increment(ref _handlerCount), Interlocked.Increment(ref _threadCount));

    /// <summary>The thread has left it. What it returned may still be running.</summary>
    public void ThreadCameBack() => Interlocked.Decrement(ref _threadCount);

    private void Judge(ActorCell cell, long handlers, long threads)
    {
        // A shutdown gives up whoever is left, and is what would be asked for.
        if (system.IsStopping)
            return;
        var (count, limit, what) = threads > system.Options.LostThreadsMax
            ? (threads, system.Options.LostThreadsMax, "each with a thread inside")
            : (handlers, system.Options.LostHandlersMax, "most of them waiting for something");
        if (count > limit && Interlocked.Exchange(ref _isUnfit, 1) == 0)
            system.Publish(new NodeFailed(cell, new LostHandlersException(count, limit, what)));
    }
}
