using System.Diagnostics;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>Pairs of actors, each with one message that goes back and forth.</summary>
internal sealed class PingPongWorkload(string name, int pairCount) : IKernelWorkload
{
    private const int RoundTripCount = 10_000_000;

    public string Name => name;

    public async Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        using var runtime = new KernelRuntime();
        var finished = new CountdownEvent(pairCount);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var each = RoundTripCount / pairCount;
        var ball = new object();
        var players = Enumerable.Range(0, pairCount).Select(pair =>
        {
            var wall = runtime.Actors.Spawn(new ActorOptions { Name = $"wall{pair}", Create = () => new Wall() });
            return runtime.Actors.Spawn(new ActorOptions
            {
                Name = $"player{pair}",
                Create = () => new Player(wall, each, () =>
                {
                    if (finished.Signal())
                        done.SetResult();
                }),
            });
        }).ToList();

        var since = Stopwatch.GetTimestamp();
        foreach (var player in players)
            player.TrySend(ball);
        await done.Task.WaitAsync(cancellationToken);
        return [new("rate", "roundtrips/s", each * pairCount / Stopwatch.GetElapsedTime(since).TotalSeconds)];
    }

    private sealed class Player(ActorRef wall, int volleyCount, Action finished) : Actor
    {
        // The first message is the serve; each later one is a round trip.
        private int _left = volleyCount + 1;

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            if (--_left > 0)
                wall.TrySend(message, turn.Self);
            else
                finished();
            return default;
        }
    }

    private sealed class Wall : Actor
    {
        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            turn.Reply(message);
            return default;
        }
    }
}
