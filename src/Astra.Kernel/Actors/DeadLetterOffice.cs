namespace Astra.Kernel.Actors;

/// <summary>Why nobody handled a message.</summary>
public enum DeadLetterReason
{
    /// <summary>Its receiver had stopped, or stopped before reading it.</summary>
    ActorStopped,

    /// <summary>The handler threw on it.</summary>
    HandlerFailed,

    /// <summary>The handler was taken off it at the actor's message deadline.</summary>
    ActorWedged,

    /// <summary>The handler had not come back when its actor was restarted or abandoned.</summary>
    IncarnationRevoked,

    /// <summary>It was sent by an incarnation that had been revoked.</summary>
    SenderRevoked,

    /// <summary>A reply to a question that was over: answered already, timed out or cancelled.</summary>
    LateReply,

    /// <summary>A reply to a message that named no sender.</summary>
    NoSender,
}

/// <summary>A message that nobody handled.</summary>
public sealed record DeadLetter(
    object Message,
    ActorRef? Sender,
    ActorRef? Recipient,
    DeadLetterReason Reason,
    Exception? Cause,
    DateTimeOffset At);

/// <summary>
/// Where messages end that nobody handled, each with the reason. It counts all of them, tells subscribers of each,
/// and keeps the last few for an operator; what must not be lost at all is not an actor message.
/// </summary>
public sealed class DeadLetterOffice
{
    private readonly int _keptMax;
    private readonly IClock _clock;
    private readonly Action<Exception> _subscriberFailed;
    private readonly Queue<DeadLetter> _recent = new();
    private readonly Lock _gate = new();
    private long _count;

    internal DeadLetterOffice(IClock clock, int keptMax, Action<Exception> subscriberFailed)
    {
        _subscriberFailed = subscriberFailed;
        _clock = clock;
        _keptMax = keptMax;
    }

    /// <summary>
    /// Called on the thread that lost the message; must be quick and must not throw. Who throws all the same keeps
    /// neither the sender nor the other subscribers from going on.
    /// </summary>
    public event Action<DeadLetter>? Arrived;

    public long Count => Volatile.Read(ref _count);

    /// <summary>The most recent letters, oldest first.</summary>
    public IReadOnlyList<DeadLetter> Recent()
    {
        lock (_gate)
            return [.. _recent];
    }

    /// <summary>Poison that the supervisor does not want kept. Whoever asked is not left waiting for an answer.</summary>
    internal void Skip(
        object message, ActorRef? sender, ActorRef? recipient, DeadLetterReason reason, Exception? cause) =>
        sender?.Undelivered(new DeadLetter(message, sender, recipient, reason, cause, _clock.UtcNow));

    internal void Receive(
        object message, ActorRef? sender, ActorRef? recipient, DeadLetterReason reason, Exception? cause = null)
    {
        var letter = new DeadLetter(message, sender, recipient, reason, cause, _clock.UtcNow);
        lock (_gate)
        {
            _count++;
            _recent.Enqueue(letter);
            if (_recent.Count > _keptMax)
                _recent.Dequeue();
        }

        sender?.Undelivered(letter);
        TellSubscribers(letter);
    }

    private void TellSubscribers(DeadLetter letter)
    {
        foreach (var subscriber in Delegate.EnumerateInvocationList(Arrived))
        {
            try
            {
                subscriber(letter);
            }
            catch (Exception failure)
            {
                _subscriberFailed(failure);
            }
        }
    }
}
