namespace Astra.Kernel.Actors;

/// <summary>
/// Senders that wait for room in a full mailbox, first come first served. The actor's turn puts their messages in for
/// them when it has made room: no waiter is woken only to find the mailbox full again.
/// </summary>
internal sealed class WaitingSends(ActorCell cell)
{
    private readonly LinkedList<Waiter> _queue = new();
    private int _count;

    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    public Task<SendResult> Add(object message, ActorRef? sender, CancellationToken ct)
    {
        var waiter = new Waiter(message, sender);
        lock (_queue)
        {
            _queue.AddLast(waiter);
            Volatile.Write(ref _count, _queue.Count);
        }

        if (ct.CanBeCanceled)
            waiter.CancelOn(ct);

        // The actor first makes room and then looks here; we first queue and then look for room. The barrier keeps
        // the two from missing each other.
        Interlocked.MemoryBarrier();
        Serve();
        return waiter.Task;
    }

    /// <summary>Moves as many as there is room for into the mailbox; all of them, unsent, when it is closed.</summary>
    public void Serve()
    {
        List<(Waiter Waiter, SendResult Result)>? served = null;
        lock (_queue)
        {
            while (_queue.First is { } first && (first.Value.IsOver || TryServe(first.Value, ref served)))
            {
                // A dead letter's subscriber may have sent something itself, and so have been here before us.
                if (first.List is not null)
                    _queue.Remove(first);
            }

            Volatile.Write(ref _count, _queue.Count);
        }

        // Only now, so that who goes on sending at once does not find himself still in the queue.
        foreach (var (waiter, result) in served ?? [])
            waiter.TrySetResult(result);
    }

    private bool TryServe(Waiter waiter, ref List<(Waiter Waiter, SendResult Result)>? served)
    {
        // Claimed first: a wait that is being cancelled must not also be sent.
        if (!waiter.TryClaim())
            return true;
        var result = cell.Enqueue(waiter.Message, waiter.Sender);
        if (result == SendResult.Full)
        {
            waiter.Unclaim();
            return false;
        }

        (served ??= []).Add((waiter, result));
        return true;
    }

    private sealed class Waiter(object message, ActorRef? sender)
        : TaskCompletionSource<SendResult>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        private const int Waiting = 0, Claimed = 1, Cancelled = 2;

        private int _phase;
        private CancellationToken _ct;

        public object Message => message;

        public ActorRef? Sender => sender;

        public bool IsOver => Volatile.Read(ref _phase) == Cancelled;

        public bool TryClaim() => Interlocked.CompareExchange(ref _phase, Claimed, Waiting) == Waiting;

        public void Unclaim()
        {
            Volatile.Write(ref _phase, Waiting);
            // A cancellation that came while we held the claim has been turned away; it is owed an answer.
            if (_ct.IsCancellationRequested)
                Cancel();
        }

        public void CancelOn(CancellationToken ct)
        {
            _ct = ct;
            var registration = ct.UnsafeRegister(static waiter => ((Waiter)waiter!).Cancel(), this);
            _ = Task.ContinueWith(
                static (_, registration) => ((CancellationTokenRegistration)registration!).Dispose(),
                registration,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        private void Cancel()
        {
            if (Interlocked.CompareExchange(ref _phase, Cancelled, Waiting) == Waiting)
                TrySetCanceled(_ct);
        }
    }
}
