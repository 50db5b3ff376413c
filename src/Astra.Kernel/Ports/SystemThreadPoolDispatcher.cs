namespace Astra.Kernel;

// This is where the handed-in dispatcher comes from: the one place in the kernel that knows threads.
#pragma warning disable RS0030

/// <summary>
/// Turns and continuations on the shared thread pool, timers on a thread of their own: timers carry the watchdog, which
/// has to fire when every thread of the pool is stuck.
/// </summary>
public sealed class ThreadPoolDispatcher : IDispatcher, IDisposable
{
    // A thread of the pool runs what it has queued itself first, newest first. That keeps two actors that talk to each
    // other on one core, with the messages still in its cache, but alone it would let them keep everybody else
    // waiting for ever, sockets and the database driver included. So one turn in so many goes to the end of the
    // common queue: with full quanta of sub-microsecond messages that is about every millisecond.
    private const int LocalTurnsMax = 64;

    [ThreadStatic]
    private static int _postCount;

    private readonly TimerThread _timers = new();

    public SynchronizationContext Continuations { get; } = new PoolContinuations();

    public void Post(IThreadPoolWorkItem turn) =>
        ThreadPool.UnsafeQueueUserWorkItem(turn, preferLocal: ++_postCount % LocalTurnsMax != 0);

    public void Requeue(IThreadPoolWorkItem turn) => ThreadPool.UnsafeQueueUserWorkItem(turn, preferLocal: false);

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
