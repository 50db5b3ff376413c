using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// A tree of actors, ten children each, down to a million leaves; each leaf sends its number up, each branch the sum, and
/// whoever has sent it stops.
/// </summary>
internal sealed class SkynetWorkload : IKernelWorkload
{
    private const int LeafCount = 1_000_000;
    private const int ChildCount = 10;

    public string Name => "skynet";

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var done = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var since = Stopwatch.GetTimestamp();
        runtime.Actors.Spawn(new ActorOptions { Name = "skynet", Create = () => new Node(parent: null, 0, LeafCount, done) });
        var sum = await done.Task.WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        if (sum != (long)LeafCount * (LeafCount - 1) / 2)
            throw new InvalidOperationException($"The leaves add up to {sum}.");
        return [new("elapsed", "s", elapsed.TotalSeconds)];
    }

    private sealed class Node(ActorRef? parent, int first, int leafCount, TaskCompletionSource<long> done) : Actor
    {
        private long _sum;
        private int _missing = ChildCount;

        protected override ValueTask StartedAsync(ActorTurn turn)
        {
            if (leafCount == 1)
            {
                parent!.TrySend((long)first, turn.Self);
                turn.StopSelf();
                return default;
            }
            var each = leafCount / ChildCount;
            for (var i = 0; i < ChildCount; i++)
            {
                var from = first + (i * each);
                var (me, end) = (turn.Self, done);
                turn.Spawn(new ActorOptions { Create = () => new Node(me, from, each, end) });
            }
            return default;
        }

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            _sum += (long)message;
            if (--_missing > 0)
                return default;
            if (parent is not null)
                parent.TrySend(_sum, turn.Self);
            else
                done.SetResult(_sum);
            turn.StopSelf();
            return default;
        }
    }
}
