namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// Gives the beat, about once a millisecond while there are turns, and frees what is queued behind a turn that does not
/// end: a handler that computes for seconds or blocks its thread must not hold up its neighbours.
/// </summary>
internal static class DispatcherMonitor
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(1);

    // A turn that has lasted this long is taken to be blocked rather than busy: its core counts as idle.
    private const int BlockedBeats = 20;

    // Long enough that waking this thread is rare, short enough that an idle process is quiet.
    private const int IdleBeatsMax = 100;

    private static readonly Lock StartGate = new();
    private static readonly SemaphoreSlim Woken = new(0);
    private static bool _isStarted;
    private static int _isParked = 1;

    /// <summary>Called whenever a thread begins to run turns, after its seat shows it.</summary>
    public static void Wake()
    {
        if (Volatile.Read(ref _isParked) == 0 || Interlocked.Exchange(ref _isParked, 0) == 0)
            return;
        lock (StartGate)
        {
            if (!_isStarted)
                new Thread(Run) { IsBackground = true, Name = "astra-turns" }.Start();
            _isStarted = true;
        }

        Woken.Release();
    }

    private static void Run()
    {
        int idleBeats = 0;
        Woken.Wait();
        while (true)
        {
            Thread.Sleep(Beat);
            // First the look, then the beat: most turns that have lasted since the last beat end at this one.
            bool isBusy = Look();
            Metronome.Process.Strike();
            idleBeats = isBusy ? 0 : idleBeats + 1;
            if (idleBeats >= IdleBeatsMax)
            {
                idleBeats = 0;
                Park();
            }
        }
    }

    private static bool Look()
    {
        bool isBusy = false;
        foreach (var seat in DispatcherSeat.All)
        {
            isBusy |= seat.Worker is not null;
            int beats = seat.CountBeatsOfSameTurn(out var worker);
            if (beats > 0 && (worker!.HasQueued || beats == BlockedBeats))
                worker.TakeFrom();
        }

        return isBusy;
    }

    // A thread that begins just now has either shown itself on its seat, or finds us parked and wakes us.
    private static void Park()
    {
        Volatile.Write(ref _isParked, 1);
        Interlocked.MemoryBarrierProcessWide();
        foreach (var seat in DispatcherSeat.All)
        {
            if (seat.Worker is not null && Interlocked.Exchange(ref _isParked, 0) == 1)
                return;
        }

        Woken.Wait();
    }
}

/// <summary>Where the monitor sees what a thread is doing. One for each thread that ever ran a turn.</summary>
internal sealed class DispatcherSeat
{
    private static readonly Lock Gate = new();
    private static DispatcherSeat[] _all = [];

    [ThreadStatic]
    private static DispatcherSeat? _ofThisThread;

    private readonly Thread _thread = Thread.CurrentThread;
    private DispatcherWorker? _worker;
    private DispatcherWorker? _seenWorker;
    private int _seenTurnCount;
    private int _beatCount;

    public static DispatcherSeat OfThisThread => _ofThisThread ?? Register();

    public static DispatcherSeat[] All => Volatile.Read(ref _all);

    /// <summary>Written by the thread itself.</summary>
    public DispatcherWorker? Worker
    {
        get => Volatile.Read(ref _worker);
        set => Volatile.Write(ref _worker, value);
    }

    /// <summary>The monitor only: how many beats ago it found this thread in the turn that it is in now.</summary>
    public int CountBeatsOfSameTurn(out DispatcherWorker? worker)
    {
        worker = Worker;
        int turnCount = worker?.TurnCount ?? 0;
        bool isSame = worker is not null && worker == _seenWorker && turnCount == _seenTurnCount;
        (_seenWorker, _seenTurnCount) = (worker, turnCount);
        return _beatCount = isSame ? _beatCount + 1 : 0;
    }

    private static DispatcherSeat Register()
    {
        var seat = _ofThisThread = new DispatcherSeat();
        lock (Gate)
            _all = [.. _all.Where(static other => other._thread.IsAlive), seat];
        return seat;
    }
}
