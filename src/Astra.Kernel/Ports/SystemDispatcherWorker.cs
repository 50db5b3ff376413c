namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// A queue of turns on its way through the thread pool. Whichever thread runs it is its owner until it is empty or a
/// beat has passed; then it goes to the end of the pool's queue, so that sockets and the database driver get their
/// share. What a turn posts meanwhile is pushed here, with a few plain stores.
/// </summary>
/// <remarks>
/// The newest turn runs next, because its actor's message is still in this core's cache; the others in their order.
/// The queue is the owner's alone, with one exception: when a turn does not end, the monitor takes everything behind
/// it away, for good. That costs the owner no locked instruction: it says that it touches the queue, then looks whether
/// it has been taken from; the monitor says that it takes, makes every core of the process see and be seen, then waits
/// until nobody touches.
/// </remarks>
internal sealed class DispatcherWorker : IThreadPoolWorkItem
{
    // Two actors that talk to each other would otherwise keep those behind them waiting until the next beat.
    private const int NewestRunsMax = 64;

    // Beats come from another thread, which may be late when every core is taken.
    private const int TurnsMax = 16_384;

    // Behind a turn that is still running and posts many others.
    private const int HandedOverInsideTurn = 16;

    private const int FirstQueueLength = 16;

    [ThreadStatic]
    private static DispatcherWorker? _current;

    private IThreadPoolWorkItem? _newest;
    private IThreadPoolWorkItem?[] _queue = [];
    private int _first;
    private int _count;
    private int _newestRuns;
    private int _turnCount;
    private bool _isTouched;
    private bool _isTakenFrom;
    private bool _isOver = true;

    /// <summary>The worker whose turn this thread is in, if it is in one.</summary>
    public static DispatcherWorker? Current => _current;

    /// <summary>For the monitor: a turn has ended when this has moved.</summary>
    public int TurnCount => Volatile.Read(ref _turnCount);

    public bool HasQueued => Volatile.Read(ref _newest) is not null || Volatile.Read(ref _count) > 0;

    /// <summary>Runs next. False: this worker has been taken from and takes nothing any more.</summary>
    public bool TryPush(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        if (_newest is { } older)
            Enqueue(older);
        _newest = turn;
        Untouch();
        if (_count >= HandedOverInsideTurn && DispatcherPool.HasIdleCore)
            HandOverHalf();
        return true;
    }

    /// <summary>Runs after everything that waits here. False as above.</summary>
    public bool TryPushLast(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        Enqueue(turn);
        Untouch();
        return true;
    }

    /// <summary>A worker that is over begins again, with one turn. False as above.</summary>
    public bool TryBegin(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        _isOver = false;
        _newest = turn;
        Untouch();
        return true;
    }

    void IThreadPoolWorkItem.Execute()
    {
        var metronome = Metronome.Process;
        int beats = metronome.Beats;
        var seat = DispatcherSeat.OfThisThread;
        seat.Worker = this;
        DispatcherMonitor.Wake();
        _current = this;
        int turnsLeft = TurnsMax;
        while (TryTake(out var turn))
        {
            turn.Execute();
            if (metronome.Beats != beats || --turnsLeft == 0)
                break;
        }

        _current = null;
        seat.Worker = null;
        Leave();
    }

    // Either back to the end of the pool's queue with what is left, or out of it.
    private void Leave()
    {
        if (!TryTouch())
            return;
        bool isEmpty = _newest is null && _count == 0;
        if (isEmpty)
            DispatcherPool.Ended();
        _isOver = isEmpty;
        Untouch();
        if (isEmpty)
            DispatcherPool.Recycle(this);
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private bool TryTake(out IThreadPoolWorkItem turn)
    {
        if (_count > 0 && (_count > 1 || _newest is not null) && DispatcherPool.HasIdleCore)
            HandOverHalf();
        turn = null!;
        if (!TryTouch())
            return false;
        if (_newest is { } newest && (_count == 0 || ++_newestRuns < NewestRunsMax))
        {
            _newest = null;
            turn = newest;
        }
        else if (_count > 0)
        {
            _newestRuns = 0;
            turn = Dequeue();
        }

        _turnCount++;
        Untouch();
        return turn is not null;
    }

    private void HandOverHalf()
    {
        var other = new DispatcherWorker { _isOver = false };
        if (!TryTouch())
            return;
        for (int left = (_count + 1) / 2; left > 0; left--)
            other.Enqueue(Dequeue());
        Untouch();
        DispatcherPool.Start(other);
    }

    /// <summary>
    /// By the monitor, from another thread: what this worker has queued goes on elsewhere, and what its turn posts from
    /// here on does too. A turn that is stuck with nothing behind it is only not counted as busy any more.
    /// </summary>
    public void TakeFrom()
    {
        // The second time there is nothing left to take, and it is not counted any more.
        if (_isTakenFrom)
            return;
        Volatile.Write(ref _isTakenFrom, true);
        Interlocked.MemoryBarrierProcessWide();
        var spinner = new SpinWait();
        while (Volatile.Read(ref _isTouched))
            spinner.SpinOnce();
        if (_isOver)
            return;

        var other = new DispatcherWorker
        {
            _newest = _newest, _queue = _queue, _first = _first, _count = _count, _isOver = false,
        };
        (_newest, _queue, _first, _count) = (null, [], 0, 0);
        // It is counted already: it stands in for the one that is stuck.
        if (other.HasQueued)
            ThreadPool.UnsafeQueueUserWorkItem(other, preferLocal: false);
        else
            DispatcherPool.Ended();
    }

    private bool TryTouch()
    {
        Volatile.Write(ref _isTouched, true);
        if (!Volatile.Read(ref _isTakenFrom))
            return true;
        Volatile.Write(ref _isTouched, false);
        return false;
    }

    private void Untouch() => Volatile.Write(ref _isTouched, false);

    private void Enqueue(IThreadPoolWorkItem turn)
    {
        if (_count == _queue.Length)
            Grow();
        _queue[(_first + _count) & (_queue.Length - 1)] = turn;
        _count++;
    }

    private IThreadPoolWorkItem Dequeue()
    {
        ref var place = ref _queue[_first];
        var turn = place!;
        place = null;
        _first = (_first + 1) & (_queue.Length - 1);
        _count--;
        return turn;
    }

    private void Grow()
    {
        var bigger = new IThreadPoolWorkItem?[Math.Max(_queue.Length * 2, FirstQueueLength)];
        for (int i = 0; i < _count; i++)
            bigger[i] = _queue[(_first + i) & (_queue.Length - 1)];
        (_queue, _first) = (bigger, 0);
    }
}
