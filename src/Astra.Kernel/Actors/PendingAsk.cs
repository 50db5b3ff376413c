using System.Runtime.ExceptionServices;
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
    private ReplyAddress? _address;

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

    /// <summary>
    /// What the asked actor will see as the sender: the one of the last question if nobody can hold on to it any more.
    /// </summary>
    protected ReplyAddress AddressFor(long question)
    {
        if (_address is { IsFree: true } free)
            free.UseFor(Target.System, question);
        else
            _address = new ReplyAddress(Target.System, this, question);
        return _address;
    }

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

/// <remarks>
/// It is also the source of the awaited value and the work item in which the asker goes on, so that a question that one
/// actor asks another allocates nothing.
/// </remarks>
internal sealed class PendingAsk<TReply> : PendingAsk, IValueTaskSource<TReply>, IThreadPoolWorkItem
{
    private static readonly Spares<PendingAsk<TReply>> Spare = new();
    private static readonly Action<object?> Answered = _ => { };

    private TReply? _reply;
    private ExceptionDispatchInfo? _failure;
    private bool _isAnswered;
    private short _version;
    private Action<object?>? _continuation;
    private object? _state;
    private SynchronizationContext? _context;
    private ExecutionContext? _flow;
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
        var address = ask.AddressFor(question);
        var answer = new ValueTask<TReply>(ask, ask._version);
        if (ct.CanBeCanceled)
        {
            // The callback may come when the question is long over.
            address.Keep();
            ask._cancellation = ct.UnsafeRegister(
                static (state, ct) => ((ReplyAddress)state!).Fail(new OperationCanceledException(ct)), address);
        }

        switch (target.TrySend(message, address))
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
            _reply = expected;
        else
            _failure = ExceptionDispatchInfo.Capture(
                reply as Exception ?? new UnexpectedReplyException(Target.Path, typeof(TReply), reply));
        Signal();
    }

    protected override void Fail(Exception why)
    {
        _failure = ExceptionDispatchInfo.Capture(why);
        Signal();
    }

    private bool IsAnswered => Volatile.Read(ref _continuation) is not null && Volatile.Read(ref _isAnswered);

    private void Signal()
    {
        // Whoever polls sees an answer only after the exchange; from there on this may be somebody else's question.
        _isAnswered = true;
        if (Interlocked.CompareExchange(ref _continuation, Answered, null) is not null)
            GoOn();
    }

    TReply IValueTaskSource<TReply>.GetResult(short token)
    {
        Check(token);
        if (!IsAnswered)
            throw new InvalidOperationException("The question has not been answered yet.");
        var (reply, failure) = (_reply, _failure);
        Recycle();
        failure?.Throw();
        return reply!;
    }

    ValueTaskSourceStatus IValueTaskSource<TReply>.GetStatus(short token)
    {
        Check(token);
        if (!IsAnswered)
            return ValueTaskSourceStatus.Pending;
        return _failure?.SourceException switch
        {
            null => ValueTaskSourceStatus.Succeeded,
            OperationCanceledException => ValueTaskSourceStatus.Canceled,
            _ => ValueTaskSourceStatus.Faulted,
        };
    }

    // Whoever has no context to go on in (a bare thread, or AsTask) goes on where the dispatcher says: neither inside
    // the turn that replies nor on a thread of which a simulation knows nothing.
    void IValueTaskSource<TReply>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        Check(token);
        var context = (flags & ValueTaskSourceOnCompletedFlags.UseSchedulingContext) != ValueTaskSourceOnCompletedFlags.None
            ? SynchronizationContext.Current
            : null;
        _context = context ?? _system!.Dispatcher.Continuations;
        _flow = (flags & ValueTaskSourceOnCompletedFlags.FlowExecutionContext) != ValueTaskSourceOnCompletedFlags.None ? ExecutionContext.Capture() : null;
        _state = state;
        if (Interlocked.CompareExchange(ref _continuation, continuation, null) is null)
            return;
        _continuation = continuation;
        GoOn();
    }

    private void GoOn()
    {
        if (_context is Incarnation incarnation)
            incarnation.Cell.System.Dispatcher.Post(this);
        else
#pragma warning disable VSTHRD001 // There is no user interface here: the awaiter's own context is where it wants to go on.
            _context!.Post(static ask => ((PendingAsk<TReply>)ask!).Continue(), this);
#pragma warning restore VSTHRD001
    }

    void IThreadPoolWorkItem.Execute()
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(_context);
        try
        {
            Continue();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    // What is continued reads the answer, and then this is somebody else's question: nothing here is touched after.
    private void Continue()
    {
        var (continuation, state) = (_continuation!, _state);
        if (_flow is { } flow)
            ExecutionContext.Run(flow, new ContextCallback(continuation), state);
        else
            continuation(state);
    }

    private void Check(short token)
    {
        if (token != _version)
            throw new InvalidOperationException("An answer may be awaited once.");
    }

    private void Recycle()
    {
        _cancellation.Dispose();
        _cancellation = default;
        _version++;
        _reply = default;
        (_failure, _isAnswered, _continuation, _state, _context, _flow, _system) =
            (null, false, null, null, null, null, null);
        Close();
        Spare.Put(this);
    }
}
