namespace Astra.Kernel;

// This is where the handed-in dispatcher comes from: the one place in the kernel that knows threads.
#pragma warning disable RS0030

/// <summary>
/// Turns and continuations on the shared thread pool, timers on a thread of their own: timers carry the watchdog, which
/// has to fire when every thread of the pool is stuck.
/// </summary>
public sealed class ThreadPoolDispatcher : IDispatcher, IDisposable
{
    private readonly TimerThread _timers = new();

    public SynchronizationContext Continuations { get; } = new PoolContinuations();

    public Metronome Metronome => Metronome.Process;

    public void Post(IThreadPoolWorkItem turn) => DispatcherPool.Post(turn);

    public void Requeue(IThreadPoolWorkItem turn) => DispatcherPool.PostLast(turn);

    public IDisposable Schedule(TimeSpan delay, Action callback) => _timers.Schedule(delay, callback);

    public void Dispose() => _timers.Dispose();

    private sealed class PoolContinuations : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) =>
            ThreadPool.UnsafeQueueUserWorkItem(
                static run => run.Callback(run.State), (Callback: d, State: state), preferLocal: false);

        public override void Send(SendOrPostCallback d, object? state) =>
            throw new NotSupportedException("Blocking on another turn can deadlock; post instead.");

        public override SynchronizationContext CreateCopy() => this;
    }
}
