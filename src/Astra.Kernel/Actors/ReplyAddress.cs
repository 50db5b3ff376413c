namespace Astra.Kernel.Actors;

/// <summary>
/// What the asked actor sees as the sender. It stands for one question, so that a second reply, or one that comes after
/// the time-out, cannot be taken for the answer to a later question that uses the same <see cref="PendingAsk"/>.
/// </summary>
/// <remarks>
/// It is used for another question only when provably nobody holds it: the handler of the question has completed, the
/// mailbox and the turn have forgotten it, and it was never handed out (to a handler that asked who the sender is, to a
/// dead letter, to a cancellation). Whoever hands it out says so first, and from then on it stands for that question
/// for ever.
/// </remarks>
internal sealed class ReplyAddress(ActorSystem system, PendingAsk ask, long question) : ActorRef
{
    private ActorSystem _system = system;
    private long _question = question;
    private bool _isKept;
    private bool _isFree;

    /// <summary>For the asker, who alone may then use it again.</summary>
    public bool IsFree => Volatile.Read(ref _isFree);

    internal override ActorSystem System => _system;

    public override string Path => "/ask";

    public override int MailboxDepth => 0;

    public void UseFor(ActorSystem system, long question)
    {
        _isFree = false;
        (_system, _question) = (system, question);
    }

    /// <summary>Before it is handed out.</summary>
    public void Keep() => _isKept = true;

    /// <summary>By the turn that has handled the question to its end and forgotten who asked it.</summary>
    public void Release()
    {
        if (!_isKept)
            Volatile.Write(ref _isFree, true);
    }

    public override SendResult TrySend(object message, ActorRef? sender = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_system.SenderIsRevoked(this, message, sender))
            return SendResult.Stopped;
        if (ask.TryReply(_question, message))
            return SendResult.Ok;
        _system.DeadLetters.Receive(message, sender, this, DeadLetterReason.LateReply);
        return SendResult.Stopped;
    }

    public override ValueTask<SendResult> SendAsync(
        object message, ActorRef? sender = null, CancellationToken ct = default) =>
        ct.IsCancellationRequested ? ValueTask.FromCanceled<SendResult>(ct) : new(TrySend(message, sender));

    public void Fail(Exception why) => ask.TryFail(_question, why);

    internal override void Undelivered(DeadLetter letter)
    {
        string path = letter.Recipient?.Path ?? "nobody";
        Fail(letter.Reason == DeadLetterReason.ActorStopped
            ? new ActorStoppedException(path)
            : new MessageFailedException(path, letter.Reason, letter.Cause));
    }
}
