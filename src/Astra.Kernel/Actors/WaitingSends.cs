namespace Astra.Kernel.Actors;

/// <summary>
/// Senders that wait for room in a full mailbox, first come first served. The actor's turn puts their messages in for
/// them when it has made room: no waiter is woken only to find the mailbox full again.
/// </summary>
/// <remarks>
/// They are let in when the mailbox is empty, or when the actor has read a mailbox full since the last time, or has had
/// the core for a beat. As soon as there is room would be one at a time, and each would cost a wait of its own; waiting
/// for an empty mailbox alone would hold them up for as long as others send without waiting.
/// Those who were let in go on one behind the other, in turns of the dispatcher, unless one of them takes its time:
/// together on several cores they would fight for the mailbox's word, and all be slower than one of them alone.
/// </remarks>
internal sealed class WaitingSends(ActorCell cell) : IThreadPoolWorkItem
{
    private readonly Queue<WaitingSend> _queue = new();
    private readonly Queue<WaitingSend> _letIn = new();
    private bool _isLettingIn;
    private int _count;
    private long _takenCountWhenServed;

    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    public WaitingSend Add(object message, ActorRef? sender, CancellationToken ct)
    {
        var send = WaitingSend.Of(cell.System.Dispatcher, message, sender, ct);
        lock (_queue)
        {
            _queue.Enqueue(send);
            Volatile.Write(ref _count, _queue.Count);
        }

        // The actor first makes room and then looks here; we first queue and then look for room. The barrier keeps
        // the two from missing each other.
        Interlocked.MemoryBarrier();
        LetIn();
        return send;
    }

    /// <summary>On the actor's turn: whether they have waited for long enough although there is mail.</summary>
    public bool AreDue(long takenCount) => takenCount - _takenCountWhenServed >= cell.Options.MailboxCapacityMax;

    /// <summary>
    /// On the actor's turn: moves as many as there is room for into the mailbox; all of them, unsent, when it is closed.
    /// </summary>
    public void Serve(long takenCount)
    {
        _takenCountWhenServed = takenCount;
        LetIn();
    }

    private void LetIn()
    {
        lock (_queue)
        {
            // A dead letter's subscriber may have sent something itself: whoever is letting in already sees to it.
            if (_isLettingIn)
                return;
            _isLettingIn = true;
            while (_queue.TryPeek(out var first) && first.TryPutInto(cell, out var result))
            {
                _queue.Dequeue();
                // Before it goes on: a sender who sends again at once must not find himself in the queue.
                Volatile.Write(ref _count, _queue.Count);
                if (!first.TryAnswer(result))
                    continue;
                _letIn.Enqueue(first);
                if (_letIn.Count == 1)
                    cell.System.Dispatcher.Requeue(this);
            }

            _isLettingIn = false;
        }
    }

    void IThreadPoolWorkItem.Execute()
    {
        WaitingSend next;
        lock (_queue)
        {
            next = _letIn.Dequeue();
            // Before this one goes on: if that takes long, the next need not wait for it.
            if (_letIn.Count > 0)
                cell.System.Dispatcher.Requeue(this);
        }

        next.GoOn();
    }
}
