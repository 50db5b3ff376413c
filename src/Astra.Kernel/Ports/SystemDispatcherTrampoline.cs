namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// A queue of turns on its way through the thread pool. Whichever thread runs it is its owner until it is empty or a
/// beat has passed; then it goes to the end of the pool's queue, so that sockets and the database driver get their
/// share. What a turn posts meanwhile is pushed here, with a few plain stores.
/// </summary>
/// <remarks>
/// The newest turn runs next, because its actor's message is still in this core's cache, and because a tree that grows
/// is then walked to its leaves before it is widened. After a few dozen of these comes whoever has waited longest: by
/// turns the oldest of those that have run out their share and the oldest of the others.
/// The queues are the owner's alone, with one exception: when a turn does not end, the monitor takes everything behind
/// it away, for good. That costs the owner no locked instruction: it says that it touches them, then looks whether
/// they have been taken from; the monitor says that it takes, makes every core of the process see and be seen, then
/// waits until nobody touches.
/// </remarks>
internal sealed class Trampoline : IThreadPoolWorkItem
{
    // Two actors that talk to each other would otherwise keep those behind them waiting until the next beat.
    private const int NewestRunsMax = 1024;

    // Beats come from another thread, which may be late when every core is taken.
    private const int TurnsMax = 16_384;

    // Behind a turn that is still running and posts many others.
    private const int HandedOverInsideTurn = 16;

    // Two may be a receiver and the sender it has just let in, who are at their quickest on one core: as many turns as it
    // takes to read a mailbox. Two who are busy in their own right stay two for longer.
    private const int TurnsAsTwoMax = 32;

    [ThreadStatic]
    private static Trampoline? _current;

    private Turns _fresh = new();
    private Turns _requeued = new();
    private int _newestRuns;
    private bool _isRequeuedNext;
    private int _turnsAsTwo;
    private int _turnCount;
    private bool _isTouched;
    private bool _isTakenFrom;
    private bool _isOver = true;

    /// <summary>The trampoline whose turn this thread is in, if it is in one.</summary>
    public static Trampoline? Current => _current;

    /// <summary>For the monitor: a turn has ended when this has moved.</summary>
    public int TurnCount => Volatile.Read(ref _turnCount);

    public bool HasQueued => QueuedCount > 0;

    private int QueuedCount => _fresh.Count + _requeued.Count;

    /// <summary>Runs next. False: this trampoline has been taken from and takes nothing any more.</summary>
    public bool TryPush(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        _fresh.Add(turn);
        Untouch();
        if (_fresh.Count >= HandedOverInsideTurn && Trampolines.HasIdleCore)
            HandOverHalf();
        return true;
    }

    /// <summary>Runs after everything that waits here. False as above.</summary>
    public bool TryPushLast(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        _requeued.Add(turn);
        Untouch();
        return true;
    }

    /// <summary>A trampoline that is over begins again, with one turn. False as above.</summary>
    public bool TryBegin(IThreadPoolWorkItem turn)
    {
        if (!TryTouch())
            return false;
        _isOver = false;
        _fresh.Add(turn);
        Untouch();
        return true;
    }

    void IThreadPoolWorkItem.Execute()
    {
        var metronome = Metronome.Process;
        int beats = metronome.Beats;
        var seat = DispatcherSeat.OfThisThread;
        seat.Trampoline = this;
        DispatcherMonitor.Wake();
        _current = this;
        int turnsLeft = TurnsMax;
        // The beat before may have passed without anybody's coming to who has waited longest.
        _newestRuns = NewestRunsMax;
        while (TryTake(out var turn))
        {
            turn.Execute();
            if (metronome.Beats != beats || --turnsLeft == 0)
                break;
        }

        _current = null;
        seat.Trampoline = null;
        Leave();
    }

    // Either back to the end of the pool's queue with what is left, or out of it.
    private void Leave()
    {
        if (!TryTouch())
            return;
        bool isEmpty = !HasQueued;
        if (isEmpty)
            Trampolines.Ended();
        _isOver = isEmpty;
        Untouch();
        if (isEmpty)
            Trampolines.Recycle(this);
        else
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    private bool TryTake(out IThreadPoolWorkItem turn)
    {
        int queuedCount = QueuedCount;
        _turnsAsTwo = queuedCount == 2 ? _turnsAsTwo + 1 : 0;
        if ((queuedCount > 2 || _turnsAsTwo > TurnsAsTwoMax) && Trampolines.HasIdleCore)
            HandOverHalf();
        turn = null!;
        if (!TryTouch())
            return false;
        if (_fresh.Count > 0 && (QueuedCount == 1 || ++_newestRuns < NewestRunsMax))
            turn = _fresh.TakeNewest();
        else if (QueuedCount > 0)
            turn = TakeWhoWaitedLongest();
        _turnCount++;
        Untouch();
        return turn is not null;
    }

    private IThreadPoolWorkItem TakeWhoWaitedLongest()
    {
        _newestRuns = 0;
        _isRequeuedNext = !_isRequeuedNext;
        return _fresh.Count == 0 || (_isRequeuedNext && _requeued.Count > 0)
            ? _requeued.TakeOldest()
            : _fresh.TakeOldest();
    }

    private void HandOverHalf()
    {
        var other = new Trampoline { _isOver = false };
        if (!TryTouch())
            return;
        // Of two, the one that has just been woken stays with what woke it.
        _fresh.MoveOldestTo(ref other._fresh, _fresh.Count / 2);
        _requeued.MoveOldestTo(ref other._requeued, (_requeued.Count + 1) / 2);
        Untouch();
        Trampolines.Start(other);
    }

    /// <summary>
    /// By the monitor, from another thread: what this trampoline has queued goes on elsewhere, and what its turn posts from
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

        var other = new Trampoline { _fresh = _fresh, _requeued = _requeued, _isOver = false };
        (_fresh, _requeued) = (new(), new());
        // It is counted already: it stands in for the one that is stuck.
        if (other.HasQueued)
            ThreadPool.UnsafeQueueUserWorkItem(other, preferLocal: false);
        else
            Trampolines.Ended();
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
}
