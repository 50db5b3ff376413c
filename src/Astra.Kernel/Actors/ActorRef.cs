namespace Astra.Kernel.Actors;

/// <summary>
/// What became of a send. A full mailbox is an answer, not an exception: the sender knows best what to do.
/// </summary>
public enum SendResult
{
    /// <summary>The message is in the mailbox. Whether it is handled is up to the life of its actor.</summary>
    Ok,

    /// <summary>
    /// The mailbox is at its bound and the message was not taken. Try later, or await
    /// <see cref="ActorRef.SendAsync"/>.
    /// </summary>
    Full,

    /// <summary>Nobody will ever read this message; it went to the dead-letter office with the reason.</summary>
    Stopped,
}

/// <summary>
/// The address of an actor. It outlives restarts, may be kept and compared by reference, and holds its actor
/// directly: a send looks nothing up, takes no lock and allocates nothing.
/// </summary>
public abstract class ActorRef
{
    private protected ActorRef()
    {
    }

    /// <summary>Names from the root down, such as <c>/shards/17</c>. For people; only an operator's command looks
    /// anything up by it.</summary>
    public abstract string Path { get; }

    /// <summary>
    /// Messages waiting. A moment's truth, for operators and for decisions that tolerate being a little wrong.
    /// </summary>
    public abstract int MailboxDepth { get; }

    internal abstract ActorSystem System { get; }

    /// <summary>Puts a message into the mailbox, or says at once why not. Never waits.</summary>
    public abstract SendResult TrySend(object message, ActorRef? sender = null);

    /// <summary>
    /// Like <see cref="TrySend"/>, but waits, without a thread, while the mailbox is full. Waiting senders are served
    /// in the order in which they came. An actor that awaits this can take part in a cycle of full mailboxes; inside
    /// a turn prefer <see cref="TrySend"/> unless the receiver never sends back.
    /// </summary>
    public abstract ValueTask<SendResult> SendAsync(
        object message, ActorRef? sender = null, CancellationToken ct = default);

    /// <summary>
    /// Sends a message and waits for the first reply to it. A reply that is an exception fails the question.
    /// </summary>
    /// <exception cref="MailboxFullException">The mailbox is full; nothing was sent.</exception>
    /// <exception cref="ActorStoppedException">The actor is stopped, or stopped before it read the message.</exception>
    /// <exception cref="AskTimeoutException">No reply came in time. The message may still be handled.</exception>
    /// <exception cref="MessageFailedException">The handler threw on this message, or was taken off it.</exception>
    public ValueTask<TReply> AskAsync<TReply>(object message, TimeSpan timeout, CancellationToken ct = default) =>
        PendingAsk<TReply>.Send(this, message, timeout, ct);

    /// <summary>A message sent in this ref's name ended in the dead-letter office. Only a question cares.</summary>
    internal virtual void Undelivered(DeadLetter letter)
    {
    }
}
