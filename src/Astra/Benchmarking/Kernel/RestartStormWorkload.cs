using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// A thousand actors of which, all together, a hundred fail every second and are restarted under the default backoff,
/// next to neighbours that must not notice.
/// </summary>
internal sealed class RestartStormWorkload : IKernelWorkload
{
    private const int ActorCount = 1_000;
    private const int FailuresPerSecond = 100;

    public string Name => "restart-storm";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var restarts = new RestartCount();
        var children = new TaskCompletionSource<ActorRef[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        runtime.Actors.Spawn(new ActorOptions { Name = "storm", Create = () => new Storm(restarts, children) });
        var failing = await children.Task.WaitAsync(cancellationToken);

        await using var neighbours = new Neighbours(runtime.Actors);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var isOn = false;
        var failed = 0;
        var storming = Task.Factory.StartNew(() =>
        {
            // By the time that has passed while it storms: a thread that oversleeps makes up for it.
            var (credit, last) = (0.0, Stopwatch.GetTimestamp());
            while (!ended.IsCancellationRequested)
            {
                Thread.Sleep(5);
                var elapsed = Stopwatch.GetElapsedTime(last);
                last = Stopwatch.GetTimestamp();
                for (credit += Volatile.Read(ref isOn) ? elapsed.TotalSeconds * FailuresPerSecond : 0; credit >= 1; credit--)
                    failing[failed++ % ActorCount].TrySend(Failing.Fail);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        var share = await neighbours.ShareAsync(on => Volatile.Write(ref isOn, on), cancellationToken);
        await ended.CancelAsync();
        await storming;
        // The last of them are still in their backoff.
        if (restarts.Count < failed / 2)
            throw new InvalidOperationException($"{failed} actors failed and only {restarts.Count} were restarted.");
        return [new("share", "%", share), new("failures", "failures", failed)];
    }

    private sealed class RestartCount
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void Add() => Interlocked.Increment(ref _count);
    }

    private sealed class Storm(RestartCount restarts, TaskCompletionSource<ActorRef[]> children) : Actor
    {
        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            var child = new ActorOptions { Create = () => new Failing(restarts) };
            children.SetResult([.. Enumerable.Range(0, ActorCount).Select(_ => turn.Spawn(child))]);
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }

    private sealed class Failing(RestartCount restarts) : Actor
    {
        public static readonly object Fail = new();

        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            if (turn.Incarnation > 1)
                restarts.Add();
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) =>
            throw new InvalidOperationException("part of the storm");
    }
}
