using Astra.Kernel;

namespace Astra.Testing.Time;

/// <summary>
/// One thread, one clock and one queue for every node of a simulated cluster. Which runnable turn comes next is up to
/// the dice, so a seed is a schedule. Time stands still while anything is runnable and moves only when told to.
/// </summary>
public sealed class VirtualWorld
{
    // More turns than this without time moving is not a busy world but a loop.
    private const long TurnsWithoutTimeMax = 10_000_000;

    private readonly RunQueue _runnable;
    private readonly PriorityQueue<VirtualTimer, (TimeSpan DueAt, long Number)> _timers = new();
    private long _timerCount;
    private bool _isRunning;

    /// <param name="order">Chooses among runnable turns; first come first served without it.</param>
    public VirtualWorld(IRandomness? order = null)
    {
        _runnable = new RunQueue(order);
        Clock = new VirtualClock();
    }

    public VirtualClock Clock { get; }

    /// <summary>
    /// Turns, continuations and timers run so far: the length of a run, and a cheap fingerprint of it.
    /// </summary>
    public long StepCount { get; private set; }

    /// <summary>A view of this world that can be crashed without the others noticing.</summary>
    public VirtualDispatcher Node() => new(this);

    /// <summary>Runs one turn, if any is runnable. Time does not move.</summary>
    public bool Step()
    {
        if (_isRunning)
            throw new InvalidOperationException("A turn must not run the world that runs it.");
        while (_runnable.TryTake(out var turn))
        {
            if (turn.Node.HasCrashed)
                continue;
            Run(turn.Node, turn.Run);
            return true;
        }

        return false;
    }

    /// <summary>Runs turns until none is runnable. Timers that are not due stay where they are.</summary>
    public void RunUntilQuiet()
    {
        for (long turns = 0; Step(); turns++)
        {
            if (turns > TurnsWithoutTimeMax)
                throw new InvalidOperationException($"Not quiet after {turns} turns at {Clock.Elapsed}.");
        }
    }

    /// <summary>
    /// Runs until quiet, then moves time to the next timer that is due within the duration, and so on.
    /// </summary>
    public void Advance(TimeSpan duration)
    {
        var until = Clock.Elapsed + duration;
        RunUntilQuiet();
        while (NextTimerAt() is { } dueAt && dueAt <= until)
        {
            FireNext();
            RunUntilQuiet();
        }

        Clock.MoveTo(until);
    }

    /// <summary>
    /// Moves time to the next timer, runs it and what follows from it. False: nothing will ever happen again.
    /// </summary>
    public bool AdvanceToNextTimer()
    {
        RunUntilQuiet();
        if (NextTimerAt() is null)
            return false;
        FireNext();
        RunUntilQuiet();
        return true;
    }

    /// <summary>When the next timer is due, if there is one.</summary>
    public TimeSpan? NextTimerAt()
    {
        while (_timers.TryPeek(out var timer, out var due))
        {
            if (timer.IsLive)
                return due.DueAt;
            _timers.Dequeue();
        }

        return null;
    }

    internal void Enqueue(VirtualDispatcher node, Action run)
    {
        if (!node.HasCrashed)
            _runnable.Add(new VirtualTurn(node, run));
    }

    internal IDisposable Schedule(VirtualDispatcher node, TimeSpan delay, Action callback)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        var timer = new VirtualTimer(node, callback, Clock.Elapsed + delay);
        _timers.Enqueue(timer, (timer.DueAt, ++_timerCount));
        return timer;
    }

    private void FireNext()
    {
        var timer = _timers.Dequeue();
        Clock.MoveTo(timer.DueAt);
        Run(timer.Node, timer.Fire);
    }

    private void Run(VirtualDispatcher node, Action run)
    {
        StepCount++;
        _isRunning = true;
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(node.Continuations);
        try
        {
            run();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
            _isRunning = false;
        }
    }
}
