using Astra.Kernel;

namespace Astra.Testing.Time;

/// <summary>
/// One node's view of a <see cref="VirtualWorld"/>. Whatever is posted through it dies with it: after
/// <see cref="Crash"/> none of its turns, continuations and timers runs, whether queued before or posted later.
/// </summary>
public sealed class VirtualDispatcher : IDispatcher
{
    internal VirtualDispatcher(VirtualWorld world)
    {
        World = world;
        Continuations = new VirtualContinuations(this);
    }

    /// <summary>A node alone in its own world.</summary>
    public VirtualDispatcher(IRandomness? order = null)
        : this(new VirtualWorld(order))
    {
    }

    public VirtualWorld World { get; }

    public VirtualClock Clock => World.Clock;

    public SynchronizationContext Continuations { get; }

    public bool HasCrashed { get; private set; }

    public void Post(IThreadPoolWorkItem turn) => World.Enqueue(this, turn.Execute);

    /// <summary>Something that this node is to do soon, such as a step of a test's scenario.</summary>
    public void Post(Action turn) => World.Enqueue(this, turn);

    public IDisposable Schedule(TimeSpan delay, Action callback) => World.Schedule(this, delay, callback);

    public void Crash() => HasCrashed = true;

    public void RunUntilQuiet() => World.RunUntilQuiet();

    public void Advance(TimeSpan duration) => World.Advance(duration);

    private sealed class VirtualContinuations(VirtualDispatcher node) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) => node.World.Enqueue(node, () => d(state));

        public override void Send(SendOrPostCallback d, object? state) =>
            throw new NotSupportedException("One thread cannot wait for itself; post instead.");

        public override SynchronizationContext CreateCopy() => this;
    }
}

internal sealed class VirtualTimer(VirtualDispatcher node, Action callback, TimeSpan dueAt) : IDisposable
{
    private Action? _callback = callback;

    public VirtualDispatcher Node => node;

    public TimeSpan DueAt => dueAt;

    public bool IsLive => _callback is not null && !node.HasCrashed;

    public void Fire()
    {
        var due = _callback;
        _callback = null;
        due?.Invoke();
    }

    public void Dispose() => _callback = null;
}
