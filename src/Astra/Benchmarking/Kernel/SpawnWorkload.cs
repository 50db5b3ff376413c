using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>A million actors under one parent, until the last has started, and what each of them takes of the heap.</summary>
internal sealed class SpawnWorkload : IKernelWorkload
{
    private const int ActorCount = 1_000_000;

    public string Name => "spawn1m";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var started = new StartCount(ActorCount);
        var parent = runtime.Actors.Spawn(new ActorOptions { Name = "parent", Create = () => new Parent(started) });
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var since = Stopwatch.GetTimestamp();
        parent.TrySend(ActorCount);
        await started.Done.WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        var after = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive(parent);
        return [new("elapsed", "s", elapsed.TotalSeconds), new("heap", "bytes/actor", (double)(after - before) / ActorCount)];
    }

    private sealed class Parent(StartCount started) : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            var child = new ActorOptions { Create = () => new Child(started) };
            for (var i = 0; i < (int)message; i++)
                turn.Spawn(child);
            return default;
        }
    }

    private sealed class Child(StartCount started) : Actor
    {
        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            started.Add();
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }

    private sealed class StartCount(int expected)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Done => _done.Task;

        public void Add()
        {
            if (Interlocked.Increment(ref _count) == expected)
                _done.SetResult();
        }
    }
}
