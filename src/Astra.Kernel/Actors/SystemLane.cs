namespace Astra.Kernel.Actors;

/// <summary>What the runtime tells an actor's cell. Each instance travels once.</summary>
internal abstract class SystemMessage
{
    internal SystemMessage? Next;

    /// <summary>Runs on the receiving actor's turn.</summary>
    internal abstract void Apply(ActorCell cell);
}

/// <summary>
/// Beside the mailbox, and looked at before every message, so that a stop overtakes a thousand waiting messages.
/// Unbounded, but only the runtime writes to it: a few messages for each event in the life of an actor.
/// </summary>
internal struct SystemLane
{
    private SystemMessage? _newest;

    public readonly bool IsEmpty => Volatile.Read(in _newest) is null;

    public void Push(SystemMessage message)
    {
        var newest = Volatile.Read(ref _newest);
        while (true)
        {
            message.Next = newest;
            var seen = Interlocked.CompareExchange(ref _newest, message, newest);
            if (seen == newest)
                return;
            newest = seen;
        }
    }

    /// <summary>
    /// Owner only: everything pushed so far, oldest first, linked by <see cref="SystemMessage.Next"/>.
    /// </summary>
    public SystemMessage? TakeAll()
    {
        var newest = Interlocked.Exchange(ref _newest, null);
        SystemMessage? oldest = null;
        while (newest is not null)
        {
            var next = newest.Next;
            newest.Next = oldest;
            oldest = newest;
            newest = next;
        }

        return oldest;
    }
}
