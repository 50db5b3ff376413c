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

    public void Crash() => _dispatcher.Crash();

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

    private sealed class ProcessContinuations(SimulatedProcess process) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => process.Post(() => d(state));

        public override void Send(SendOrPostCallback d, object? state) =>
            throw new NotSupportedException("One thread cannot wait for itself; post instead.");

        public override SynchronizationContext CreateCopy() => this;
    }
}

/// <summary>A machine's clocks: its own origin, and a calendar that is a little wrong.</summary>
internal sealed class MachineClock(VirtualClock world, TimeSpan upTime, TimeSpan calendarError) : IClock
{
    public TimeSpan Elapsed => world.Elapsed + upTime;

    public DateTimeOffset UtcNow => world.UtcNow + calendarError;
}
