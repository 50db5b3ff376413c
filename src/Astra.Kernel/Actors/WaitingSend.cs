using System.Threading.Tasks.Sources;

namespace Astra.Kernel.Actors;

/// <summary>
/// One sender in <see cref="WaitingSends"/>. He goes on through the actors' dispatcher: producer and receiver that take
/// turns on one core hand each other a mailbox full without waking a thread.
/// </summary>
internal sealed class WaitingSend : IValueTaskSource<SendResult>, IThreadPoolWorkItem
{
    private const int Waiting = 0, Claimed = 1, Cancelled = 2;

    private static readonly Spares<WaitingSend> Spare = new();

    private IDispatcher _dispatcher = null!;
    private object? _message;
    private ActorRef? _sender;
    private ManualResetValueTaskSourceCore<SendResult> _answer;
    private SendResult _result;
    private int _phase;
    private CancellationToken _ct;
    private CancellationTokenRegistration _registration;

    private WaitingSend()
    {
    }

    public ValueTask<SendResult> Answer => new(this, _answer.Version);

    public static WaitingSend Of(IDispatcher dispatcher, object message, ActorRef? sender, CancellationToken ct)
    {
        var send = Spare.Take() ?? new WaitingSend();
        (send._dispatcher, send._message, send._sender, send._ct) = (dispatcher, message, sender, ct);
        // Before it is queued: whoever serves it must find the registration to dispose of.
        send._registration = ct.UnsafeRegister(static send => ((WaitingSend)send!).Cancel(), send);
        return send;
    }

    /// <summary>
    /// False: the mailbox is still full. A send that was cancelled meanwhile counts as put, and needs no answer.
    /// </summary>
    public bool TryPutInto(ActorCell cell, out SendResult result)
    {
        result = SendResult.Ok;
        // Claimed first: a wait that is being cancelled must not also be sent.
        if (Interlocked.CompareExchange(ref _phase, Claimed, Waiting) != Waiting)
            return true;
        result = cell.Enqueue(_message!, _sender);
        if (result != SendResult.Full)
            return true;
        Volatile.Write(ref _phase, Waiting);
        // A cancellation that came while we held the claim has been turned away; it is owed an answer.
        if (_ct.IsCancellationRequested)
            Cancel();
        return false;
    }

    /// <summary>False: it was cancelled, and has its answer.</summary>
    public bool TryAnswer(SendResult result)
    {
        _result = result;
        return Volatile.Read(ref _phase) != Cancelled;
    }

    /// <summary>The sender's own code runs in here.</summary>
    public void GoOn()
    {
        _registration.Unregister();
        _answer.SetResult(_result);
    }

    private void Cancel()
    {
        if (Interlocked.CompareExchange(ref _phase, Cancelled, Waiting) == Waiting)
            _dispatcher.Requeue(this);
    }

    void IThreadPoolWorkItem.Execute() => _answer.SetException(new OperationCanceledException(_ct));

    SendResult IValueTaskSource<SendResult>.GetResult(short token)
    {
        try
        {
            return _answer.GetResult(token);
        }
        finally
        {
            // A late cancellation would hit whoever uses it next.
            if (!_ct.CanBeCanceled)
                Recycle();
        }
    }

    private void Recycle()
    {
        (_message, _sender, _phase) = (null, null, Waiting);
        _answer.Reset();
        Spare.Put(this);
    }

    ValueTaskSourceStatus IValueTaskSource<SendResult>.GetStatus(short token) => _answer.GetStatus(token);

    void IValueTaskSource<SendResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);
}
