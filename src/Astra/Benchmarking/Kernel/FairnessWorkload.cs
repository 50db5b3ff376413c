using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// As many busy actors as there are cores, each with a mailbox that never empties and twenty microseconds of work for
/// every message; beside them quiet neighbours that are sent a message now and then. How long does that one wait?
/// </summary>
internal sealed class FairnessWorkload : IKernelWorkload
{
    private const int NeighbourCount = 100;
    private const int ProbeCount = 1_000;
    private const int ProbesPerSecond = 1_000;
    private static readonly TimeSpan WorkPerMessage = TimeSpan.FromMicroseconds(20);

    public string Name => "fairness";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var busy = Enumerable.Range(0, Environment.ProcessorCount)
            .Select(i => runtime.Actors.Spawn(new ActorOptions { Name = $"busy{i}", Create = () => new Busy() })).ToList();
        var waits = new Waits(ProbeCount);
        var neighbours = Enumerable.Range(0, NeighbourCount)
            .Select(i => runtime.Actors.Spawn(new ActorOptions { Name = $"quiet{i}", Create = () => new Quiet(waits) })).ToList();
        foreach (var actor in busy)
            for (var i = 0; i < 256; i++)
                actor.TrySend(Busy.Work);

        // From a thread of its own: the pool's are what is being measured.
        var probing = new Thread(() => Probe(neighbours, cancellationToken)) { IsBackground = true, Name = "astra-bench-probe" };
        probing.Start();
        var sorted = await waits.All.WaitAsync(cancellationToken);
        foreach (var actor in busy)
            runtime.Actors.Stop(actor);
        await runtime.Actors.StopAsync(KernelSuite.Patience);
        return [new("p50", "ms", sorted[ProbeCount / 2]), new("p99", "ms", sorted[ProbeCount / 100 * 99]), new("longest", "ms", sorted[^1])];
    }

    private static void Probe(IReadOnlyList<ActorRef> neighbours, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        for (var i = 0; i < ProbeCount && !cancellationToken.IsCancellationRequested; i++)
        {
            while (Stopwatch.GetElapsedTime(since).TotalSeconds * ProbesPerSecond < i)
                Thread.Sleep(1);
            neighbours[i % NeighbourCount].TrySend(Stopwatch.GetTimestamp());
        }
    }

    private sealed class Busy : Actor
    {
        public static readonly object Work = new();

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            var since = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(since) < WorkPerMessage)
                Thread.SpinWait(10);
            turn.Self.TrySend(message);
            return default;
        }
    }

    private sealed class Quiet(Waits waits) : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            waits.Add(Stopwatch.GetElapsedTime((long)message).TotalMilliseconds);
            return default;
        }
    }

    private sealed class Waits(int expected)
    {
        private readonly TaskCompletionSource<double[]> _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly double[] _waits = new double[expected];
        private int _begun;
        private int _count;

        public Task<double[]> All => _all.Task;

        public void Add(double wait)
        {
            _waits[Interlocked.Increment(ref _begun) - 1] = wait;
            if (Interlocked.Increment(ref _count) < expected)
                return;
            Array.Sort(_waits);
            _all.SetResult(_waits);
        }
    }
}
