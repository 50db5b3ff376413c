using System.Threading.Tasks.Sources;

namespace Astra.Kernel.Actors;

/// <summary>
/// A question that waits for its reply. It is used again for another question, so it counts them: what comes in for
/// an earlier one finds the count moved on.
/// </summary>
internal abstract class PendingAsk
{
    // Twice the number of the question, plus one when it is settled. Whoever moves it from even to odd settles it.
    private long _phase;

    public ActorRef Target { get; private set; } = null!;

    public TimeSpan DueAt { get; private set; }

    public TimeSpan Timeout { get; private set; }

    /// <summary>Neighbours in the list of <see cref="AskDeadlines"/>, which alone touches them.</summary>
    public PendingAsk? Earlier { get; set; }

    public PendingAsk? Later { get; set; }

    protected long Begin(ActorRef target, TimeSpan timeout)
    {
        Target = target;
        Timeout = timeout;
        DueAt = target.System.Clock.Elapsed + timeout;
        long question = Volatile.Read(ref _phase);
        target.System.AskDeadlines.Add(this);
        return question;
    }

    /// <summary>The number of the question being asked; stale once it has been settled.</summary>
    public long Question => Volatile.Read(ref _phase);

    public bool TryReply(long question, object reply)
    {
        if (!TrySettle(question))
            return false;
        Complete(reply);
        return true;
    }

    public bool TryFail(long question, Exception why)
    {
        if (!TrySettle(question))
            return false;
        Fail(why);
        return true;
    }

    protected abstract void Complete(object reply);

    protected abstract void Fail(Exception why);

    /// <summary>The answer has been read; the next question gets a new number.</summary>
    protected void Close()
    {
        Target = null!;
        Volatile.Write(ref _phase, _phase + 1);
    }

    private bool TrySettle(long question)
    {
        if ((question & 1) != 0 || Interlocked.CompareExchange(ref _phase, question + 1, question) != question)
            return false;
        Target.System.AskDeadlines.Remove(this);
        return true;
    }
}

internal sealed class PendingAsk<TReply> : PendingAsk, IValueTaskSource<TReply>
{
    private static readonly Spares<PendingAsk<TReply>> Spare = new();

    private ManualResetValueTaskSourceCore<TReply> _answer;
    private CancellationTokenRegistration _cancellation;
    private ActorSystem? _system;

    public static ValueTask<TReply> Send(ActorRef target, object message, TimeSpan timeout, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled<TReply>(ct);
        if (timeout <= TimeSpan.Zero)
            return ValueTask.FromException<TReply>(new AskTimeoutException(target.Path, timeout));

        var ask = Spare.Take() ?? new PendingAsk<TReply>();
        ask._system = target.System;
        long question = ask.Begin(target, timeout);
        var answer = new ValueTask<TReply>(ask, ask._answer.Version);
        if (ct.CanBeCanceled)
            ask._cancellation = ct.UnsafeRegister(
                static (state, ct) =>
                {
                    var address = (ReplyAddress)state!;
                    address.Fail(new OperationCanceledException(ct));
                },
                new ReplyAddress(target.System, ask, question));

        switch (target.TrySend(message, new ReplyAddress(target.System, ask, question)))
        {
            case SendResult.Full:
                ask.TryFail(question, new MailboxFullException(target.Path));
                break;
            case SendResult.Stopped:
                ask.TryFail(question, new ActorStoppedException(target.Path));
                break;
        }

        return answer;
    }

    protected override void Complete(object reply)
    {
        if (reply is TReply expected)
            _answer.SetResult(expected);
        else
            _answer.SetException(
                reply as Exception ?? new UnexpectedReplyException(Target.Path, typeof(TReply), reply));
    }

    protected override void Fail(Exception why) => _answer.SetException(why);

    TReply IValueTaskSource<TReply>.GetResult(short token)
    {
        try
        {
            return _answer.GetResult(token);
        }
        finally
        {
            if (token == _answer.Version)
                Recycle();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<TReply>.GetStatus(short token) => _answer.GetStatus(token);

    // Whoever has no context to go on in (a bare thread, or AsTask) goes on where the dispatcher says: neither inside
    // the turn that replies nor on a thread of which a simulation knows nothing.
    void IValueTaskSource<TReply>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        var context = SynchronizationContext.Current;
        if (context is not null && flags.HasFlag(ValueTaskSourceOnCompletedFlags.UseSchedulingContext))
        {
            _answer.OnCompleted(continuation, state, token, flags);
            return;
        }

        SynchronizationContext.SetSynchronizationContext(_system!.Dispatcher.Continuations);
        try
        {
            _answer.OnCompleted(
                continuation, state, token, flags | ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    private void Recycle()
    {
        _cancellation.Dispose();
        _cancellation = default;
        _system = null;
        _answer.Reset();
        Close();
        Spare.Put(this);
    }
}

/// <summary>
/// What the asked actor sees as the sender. It is made for one question, so that a second reply, or one that comes
/// after the time-out, cannot be taken for the answer to a later question that uses the same <see cref="PendingAsk"/>.
/// </summary>
internal sealed class ReplyAddress(ActorSystem system, PendingAsk ask, long question) : ActorRef
{
    internal override ActorSystem System => system;

    public override string Path => "/ask";

    public override int MailboxDepth => 0;

    public override SendResult TrySend(object message, ActorRef? sender = null)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (system.SenderIsRevoked(this, message, sender))
            return SendResult.Stopped;
        if (ask.TryReply(question, message))
            return SendResult.Ok;
        system.DeadLetters.Receive(message, sender, this, DeadLetterReason.LateReply);
        return SendResult.Stopped;
    }

    public override ValueTask<SendResult> SendAsync(
        object message, ActorRef? sender = null, CancellationToken ct = default) =>
        ct.IsCancellationRequested ? ValueTask.FromCanceled<SendResult>(ct) : new(TrySend(message, sender));

    public void Fail(Exception why) => ask.TryFail(question, why);

    internal override void Undelivered(DeadLetter letter)
    {
        string path = letter.Recipient?.Path ?? "nobody";
        Fail(letter.Reason == DeadLetterReason.ActorStopped
            ? new ActorStoppedException(path)
            : new MessageFailedException(path, letter.Reason, letter.Cause));
    }
}
