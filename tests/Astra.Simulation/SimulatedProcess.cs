using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// One life of an operating system process. It can be crashed for good, and it can be paused: then nothing of it runs
/// until it resumes, while time goes on for everybody else, leases included.
/// </summary>
internal sealed class SimulatedProcess : IDispatcher
{
    private readonly VirtualDispatcher _dispatcher;
    private readonly List<Action> _held = [];
    private readonly HashSet<Connection> _connections = [];

    public SimulatedProcess(VirtualWorld world)
    {
        _dispatcher = world.Node();
        Continuations = new ProcessContinuations(this);
    }

    public SynchronizationContext Continuations { get; }

    public bool IsPaused { get; private set; }

    public bool HasCrashed => _dispatcher.HasCrashed;

    public void Post(IThreadPoolWorkItem turn) => Post(turn.Execute);

    public void Post(Action action) => _dispatcher.Post(() => Run(action));

    public IDisposable Schedule(TimeSpan delay, Action callback) => _dispatcher.Schedule(delay, () => Run(callback));

    /// <summary>What it leaves behind in the process that simulates it.</summary>
    public Action? Died { get; set; }

    public void Crash()
    {
        _dispatcher.Crash();
        Died?.Invoke();
        Died = null;
        foreach (var connection in _connections)
            connection.Reset();
        _connections.Clear();
    }

    /// <summary>Whoever has a connection to it learns of its end; one that is only paused says nothing.</summary>
    public IDisposable WhenItCrashes(Action reset)
    {
        var connection = new Connection(this, reset);
        if (HasCrashed)
            reset();
        else
            _connections.Add(connection);
        return connection;
    }

    public void Pause() => IsPaused = true;

    public void Resume()
    {
        IsPaused = false;
        foreach (var action in _held)
            Post(action);
        _held.Clear();
    }

    private void Run(Action action)
    {
        if (IsPaused)
        {
            _held.Add(action);
            return;
        }

        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(Continuations);
        try
        {
            action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private sealed class Connection(SimulatedProcess process, Action reset) : IDisposable
    {
        public Action Reset => reset;

        public void Dispose() => process._connections.Remove(this);
    }

    private sealed class ProcessContinuations(SimulatedProcess process) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => process.Post(() => d(state));

        public override void Send(SendOrPostCallback d, object? state) =>
            throw new NotSupportedException("One thread cannot wait for itself; post instead.");

        public override SynchronizationContext CreateCopy() => this;
    }
}

/// <summary>A machine's clocks: its own origin, and a calendar that is a little wrong.</summary>
internal sealed class MachineClock(VirtualClock world, TimeSpan upTime, Func<TimeSpan> calendarError) : IClock
{
    public TimeSpan Elapsed => world.Elapsed + upTime;

    public DateTimeOffset UtcNow => world.UtcNow + calendarError();
}
