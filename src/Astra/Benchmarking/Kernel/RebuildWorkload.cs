using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// One agent with a subtree of a thousand actors is torn down and rebuilt, twenty times a second, next to neighbours
/// that must not notice.
/// </summary>
internal sealed class RebuildWorkload : IKernelWorkload
{
    private const int SubtreeSize = 1_000;
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    public string Name => "rebuild";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        await using var neighbours = new Neighbours(runtime.Actors);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var isOn = false;
        var times = new List<double>();
        var rebuilding = Task.Run(async () =>
        {
            var agent = await BuildAsync(runtime.Actors);
            using var pace = new PeriodicTimer(Period);
            while (!ended.IsCancellationRequested)
            {
                await pace.WaitForNextTickAsync(CancellationToken.None);
                if (!Volatile.Read(ref isOn))
                    continue;
                var since = Stopwatch.GetTimestamp();
                await TearDownAsync(runtime.Actors, agent);
                agent = await BuildAsync(runtime.Actors);
                times.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
            }
        }, CancellationToken.None);

        var share = await neighbours.ShareAsync(on => Volatile.Write(ref isOn, on), cancellationToken);
        await ended.CancelAsync();
        await rebuilding;
        times.Sort();
        return [new("share", "%", share), new("p50", "ms", times[times.Count / 2]), new("rebuilds", "rebuilds", times.Count)];
    }

    /// <returns>The agent, when the last of its actors has started.</returns>
    private static async Task<ActorRef> BuildAsync(ActorSystem actors)
    {
        var built = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var missing = SubtreeSize;
        var agent = actors.Spawn(new ActorOptions
        {
            Name = "agent",
            Create = () => new Branch(SubtreeSize, () =>
            {
                if (Interlocked.Decrement(ref missing) == 0)
                    built.SetResult();
            }),
        });
        await built.Task;
        return agent;
    }

    /// <summary>Returns when the last of its actors is gone, and its name is free again.</summary>
    private static async Task TearDownAsync(ActorSystem actors, ActorRef agent)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        actors.Spawn(new ActorOptions { Create = () => new Watcher(agent, gone) });
        actors.Stop(agent);
        await gone.Task;
    }

    /// <summary>Ten branches with what is left of the subtree shared among them.</summary>
    private sealed class Branch(int size, Action started) : Actor
    {
        private const int ChildCount = 10;

        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            started();
            var left = size - 1;
            for (var child = Math.Min(ChildCount, left); child > 0; child--)
            {
                var share = left / child;
                left -= share;
                turn.Spawn(new ActorOptions { Create = () => new Branch(share, started) });
            }
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn) => default;
    }

    private sealed class Watcher(ActorRef agent, TaskCompletionSource gone) : Actor
    {
        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            turn.Watch(agent);
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            gone.SetResult();
            turn.StopSelf();
            return default;
        }
    }
}
