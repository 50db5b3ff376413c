using System.Diagnostics;
using Astra.Kernel;
using Astra.Kernel.Actors;

namespace Astra.Benchmarking.Kernel;

/// <summary>
/// What supervision, life cycle, metrics, dead letters and the rest cost together: the same messages through an actor
/// and through its bare mailbox, on one thread, so that nothing but the instructions differs.
/// </summary>
internal sealed class FeaturesWorkload : IKernelWorkload
{
    private const int BatchCount = 10_000;
    private const int BatchLength = 1_000;
    private const int ActorCount = 100_000;
    private const int CapacityMax = 1024;

    public string Name => "features";

    public Task<IReadOnlyList<Measured>> RunAsync(CancellationToken cancellationToken)
    {
        var dispatcher = new OneThread();
        var actors = new ActorSystem(dispatcher, new SystemClock(), new SystemRandomness());
        var actor = actors.Spawn(new ActorOptions { Create = () => new Counting(), MailboxCapacityMax = CapacityMax });
        dispatcher.RunAll();
        var message = new object();
        var withFeatures = Nanoseconds(() =>
        {
            for (var i = 0; i < BatchLength; i++)
                actor.TrySend(message);
            dispatcher.RunAll();
        });

        var mailbox = new BareMailbox(CapacityMax, new Reader());
        mailbox.ReadAll();
        var bare = Nanoseconds(() =>
        {
            for (var i = 0; i < BatchLength; i++)
                mailbox.TrySend(message, sender: null, out _);
            mailbox.ReadAll();
        });

        var options = new ActorOptions { Create = () => new Counting() };
        var bytesWithFeatures = Bytes(_ => actors.Spawn(options), dispatcher.RunAllAndTrim);
        var bytesBare = Bytes(_ => new BareMailbox(CapacityMax, new Reader()), () => { });
        return Task.FromResult<IReadOnlyList<Measured>>(
        [
            new("overhead", "ns/msg", withFeatures - bare), new("memory", "bytes/actor", bytesWithFeatures - bytesBare),
            new("bare", "ns/msg", bare), new("bare-memory", "bytes/actor", bytesBare),
        ]);
    }

    private static double Nanoseconds(Action batch)
    {
        var since = Stopwatch.GetTimestamp();
        for (var i = 0; i < BatchCount; i++)
            batch();
        return Stopwatch.GetElapsedTime(since).TotalNanoseconds / ((double)BatchCount * BatchLength);
    }

    private static double Bytes(Func<int, object> make, Action finish)
    {
        var kept = new object[ActorCount];
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < kept.Length; i++)
            kept[i] = make(i);
        finish();
        var after = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive(kept);
        return (double)(after - before) / ActorCount;
    }

    private sealed class Counting : Actor
    {
        private long _count;

        protected override ValueTask ReceiveAsync(object message, ActorTurn turn)
        {
            _count++;
            return default;
        }
    }

    private sealed class Reader : IMailReader
    {
        private long _count;

        public void Read(object message, ActorRef? sender) => _count++;
    }

    /// <summary>Turns wait until the only thread runs them; there are no timers to wait for.</summary>
    private sealed class OneThread : IDispatcher
    {
        private readonly Queue<IThreadPoolWorkItem> _turns = new();

        public SynchronizationContext Continuations { get; } = new();

        public void Post(IThreadPoolWorkItem turn) => _turns.Enqueue(turn);

        public IDisposable Schedule(TimeSpan delay, Action callback) => new Never();

        public void RunAll()
        {
            while (_turns.TryDequeue(out var turn))
                turn.Execute();
        }

        public void RunAllAndTrim()
        {
            RunAll();
            _turns.TrimExcess();
        }

        private sealed class Never : IDisposable
        {
            public void Dispose()
            {
            }
        }
    }
}
