using System.Diagnostics;
using System.Threading.Channels;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// The same work over what one would write without an actor runtime: a plain bounded channel of 1024 and a loop that
/// reads it, for each actor. No supervision, no stop, no names, no metrics; for comparison in the same run.
/// </summary>
internal static class PeerWorkloads
{
    private const string Prefix = "channel/";

    public static readonly IReadOnlyList<IKernelWorkload> All =
    [
        new Peer("tell1", token => TellAsync(1, token)),
        new Peer("tell8", token => TellAsync(8, token)),
        new Peer("pingpong1", token => PingPongAsync(1, token)),
        new Peer("pingpong16", token => PingPongAsync(16, token)),
        new Peer("ask", AskAsync),
        new Peer("spawn1m", SpawnAsync),
    ];

    /// <summary>The peer's name of a workload of ours, if it has it too.</summary>
    public static string? NameOf(string workload) => All.FirstOrDefault(peer => peer.Name == Prefix + workload)?.Name;

    private sealed class Peer(string workload, Func<CancellationToken, Task<IReadOnlyList<Measured>>> run) : IKernelWorkload
    {
        public string Name => Prefix + workload;

        public Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken) => run(cancellationToken);
    }

    /// <summary>A mailbox and the loop that reads it.</summary>
    private sealed class ChannelActor
    {
        private readonly Channel<object> _mailbox =
            Channel.CreateBounded<object>(new BoundedChannelOptions(1024) { SingleReader = true });

        public ChannelActor(Func<object, ValueTask> receive) => _ = ReadAsync(receive);

        public ValueTask SendAsync(object message) => _mailbox.Writer.WriteAsync(message);

        public void Stop() => _mailbox.Writer.Complete();

        private async Task ReadAsync(Func<object, ValueTask> receive)
        {
            // On the pool from the beginning, as an actor's first turn is.
            await Task.Yield();
            while (await _mailbox.Reader.WaitToReadAsync())
                while (_mailbox.Reader.TryRead(out var message))
                    await receive(message);
        }
    }

    private static async Task<IReadOnlyList<Measured>> TellAsync(int producerCount, CancellationToken cancellationToken)
    {
        const int MessageCount = 5_000_000;
        var each = MessageCount / producerCount;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var left = each * producerCount;
        var receiver = new ChannelActor(_ =>
        {
            if (--left == 0)
                done.SetResult();
            return default;
        });
        var message = new object();
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, producerCount).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < each; i++)
                await receiver.SendAsync(message);
        }, cancellationToken)));
        await done.Task.WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        receiver.Stop();
        return [new("rate", "msg/s", MessageCount / elapsed.TotalSeconds), new("allocated", "bytes/msg", (double)allocated / MessageCount)];
    }

    private static async Task<IReadOnlyList<Measured>> PingPongAsync(int pairCount, CancellationToken cancellationToken)
    {
        const int RoundTripCount = 1_000_000;
        var each = RoundTripCount / pairCount;
        var ball = new object();
        var players = new List<ChannelActor>();
        var finished = new List<Task>();
        for (var pair = 0; pair < pairCount; pair++)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var left = each + 1;
            ChannelActor player = null!;
            var wall = new ChannelActor(message => player.SendAsync(message));
            player = new ChannelActor(message =>
            {
                if (--left > 0)
                    return wall.SendAsync(message);
                done.SetResult();
                return default;
            });
            players.AddRange([player, wall]);
            finished.Add(done.Task);
        }
        var since = Stopwatch.GetTimestamp();
        for (var pair = 0; pair < pairCount; pair++)
            await players[pair * 2].SendAsync(ball);
        await Task.WhenAll(finished).WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        players.ForEach(player => player.Stop());
        return [new("rate", "roundtrips/s", each * pairCount / elapsed.TotalSeconds)];
    }

    private static async Task<IReadOnlyList<Measured>> AskAsync(CancellationToken cancellationToken)
    {
        const int QuestionCount = 300_000;
        var waits = new long[QuestionCount];
        var answering = new ChannelActor(message =>
        {
            ((TaskCompletionSource<object>)message).SetResult(message);
            return default;
        });
        var asked = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        var asking = new ChannelActor(async _ =>
        {
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            for (var i = 0; i < QuestionCount; i++)
            {
                var since = Stopwatch.GetTimestamp();
                var question = new TaskCompletionSource<object>();
                await answering.SendAsync(question);
                await question.Task;
                waits[i] = Stopwatch.GetTimestamp() - since;
            }
            asked.SetResult(GC.GetTotalAllocatedBytes(precise: true) - allocated);
        });
        await asking.SendAsync(asked);
        var total = await asked.Task.WaitAsync(cancellationToken);
        asking.Stop();
        answering.Stop();
        Array.Sort(waits);
        return
        [
            new("p50", "us", waits[QuestionCount / 2] * 1e6 / Stopwatch.Frequency),
            new("p99", "us", waits[QuestionCount / 100 * 99] * 1e6 / Stopwatch.Frequency),
            new("allocated", "bytes/ask", (double)total / QuestionCount),
        ];
    }

    private static async Task<IReadOnlyList<Measured>> SpawnAsync(CancellationToken cancellationToken)
    {
        const int ActorCount = 1_000_000;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var missing = ActorCount;
        ValueTask Receive(object _)
        {
            if (Interlocked.Decrement(ref missing) == 0)
                done.SetResult();
            return default;
        }

        var actors = new ChannelActor[ActorCount];
        var message = new object();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var since = Stopwatch.GetTimestamp();
        for (var i = 0; i < ActorCount; i++)
        {
            actors[i] = new ChannelActor(Receive);
            // A loop that has not been run once has not started.
            await actors[i].SendAsync(message);
        }
        await done.Task.WaitAsync(cancellationToken);
        var elapsed = Stopwatch.GetElapsedTime(since);
        var after = GC.GetTotalMemory(forceFullCollection: true);
        foreach (var actor in actors)
            actor.Stop();
        return [new("elapsed", "s", elapsed.TotalSeconds), new("heap", "bytes/actor", (double)(after - before) / ActorCount)];
    }
}
