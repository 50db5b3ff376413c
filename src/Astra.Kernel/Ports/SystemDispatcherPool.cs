using Astra.Kernel.Actors;

namespace Astra.Kernel;

// Part of where the handed-in dispatcher comes from; see SystemThreadPoolDispatcher.cs.
#pragma warning disable RS0030

/// <summary>
/// The workers of this process. They are counted for as long as they have turns, running or waiting for a thread:
/// while there are fewer than cores, a worker with more than one turn gives half of them away.
/// </summary>
internal static class DispatcherPool
{
    private static readonly int CoreCount = Environment.ProcessorCount;
    private static readonly Spares<DispatcherWorker> Spare = new();

    private static int _workerCount;

    public static bool HasIdleCore => Volatile.Read(ref _workerCount) < CoreCount;

    public static void Post(IThreadPoolWorkItem turn)
    {
        if (DispatcherWorker.Current is not { } worker || !worker.TryPush(turn))
            PostFromOutside(turn);
    }

    public static void PostLast(IThreadPoolWorkItem turn)
    {
        if (DispatcherWorker.Current is not { } worker || !worker.TryPushLast(turn))
            PostFromOutside(turn);
    }

    private static void PostFromOutside(IThreadPoolWorkItem turn)
    {
        var worker = Spare.Take();
        if (worker is null || !worker.TryBegin(turn))
        {
            worker = new DispatcherWorker();
            worker.TryBegin(turn);
        }

        Start(worker);
    }

    public static void Start(DispatcherWorker worker)
    {
        Interlocked.Increment(ref _workerCount);
        ThreadPool.UnsafeQueueUserWorkItem(worker, preferLocal: false);
    }

    public static void Ended() => Interlocked.Decrement(ref _workerCount);

    public static void Recycle(DispatcherWorker worker) => Spare.Put(worker);
}
