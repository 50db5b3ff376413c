using System.Diagnostics;
using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors.Soak;

/// <summary>
/// A hundred million messages over the dispatcher that the server uses, in shapes that make actors fall asleep and be
/// woken in every way they can. A wake-up that is lost leaves a message that nobody reads, and then nothing moves any
/// more: that is what is looked for. Run with <c>./astra test --soak</c>.
/// </summary>
public sealed class SoakTests : IAsyncDisposable
{
    private const long MessagesMin = 100_000_000;

    // Every shape moves thousands of messages in a second. Who has moved none for so long never will.
    private static readonly TimeSpan StandstillMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ReportPeriod = TimeSpan.FromSeconds(5);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;
    private long _handledCount;

    public SoakTests() => _system = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public async ValueTask DisposeAsync()
    {
        await _system.StopAsync(TimeSpan.FromSeconds(10));
        _dispatcher.Dispose();
    }

    [Fact(Explicit = true)]
    public async Task No_wake_up_is_lost_in_a_hundred_million_messages()
    {
        long expected = 0;
        foreach (int producers in (int[])[1, 2, 4, 8, 16])
            expected += await Watched($"{producers} producers, one receiver", () => Flood(producers, 6_000_000));
        expected += await Watched("ping-pong, one pair", () => PingPong(1, 5_000_000));
        expected += await Watched("ping-pong, 16 pairs", () => PingPong(16, 8_000_000));
        expected += await Watched("ring of 100 actors, 7 tokens", () => Ring(100, 7, 15_000_000));
        expected += await Watched("bursts with idle gaps, 1 producer", () => Bursts(1, 400_000));
        expected += await Watched("bursts with idle gaps, 3 producers", () => Bursts(3, 300_000));
        expected += await Watched("mailboxes of 1", () => Flood(4, 2_000_000, capacity: 1));
        expected += await Watched("commands that race idleness", () => Commands(200_000));
        expected += await Watched("one more flood", () => Flood(8, 30_000_000));

        Assert.Equal(expected, Volatile.Read(ref _handledCount));
        Assert.True(expected >= MessagesMin, $"only {expected} messages were sent");
        Assert.Equal(0, _system.DeadLetters.Count);
        Assert.Equal(0, _system.ObserverFailureCount);
        Assert.All(_system.Inspect().Children, child => Assert.Equal(0, child.MailboxDepth));
    }

    /// <returns>How many messages the shape was to move.</returns>
    private async Task<long> Watched(string what, Func<(Task Done, long Expected)> begin)
    {
        long before = Volatile.Read(ref _handledCount);
        var shape = begin();
        var since = Stopwatch.StartNew();
        var (moved, movedAt, reportedAt) = (before, TimeSpan.Zero, TimeSpan.Zero);
        while (await Task.WhenAny(shape.Done, Task.Delay(TimeSpan.FromMilliseconds(100))) != shape.Done)
        {
            long now = Volatile.Read(ref _handledCount);
            (moved, movedAt) = now == moved ? (moved, movedAt) : (now, since.Elapsed);
            Assert.True(since.Elapsed - movedAt < StandstillMax, $"{what}: nothing has moved for {StandstillMax}; {Stuck()}");
            if (since.Elapsed - reportedAt < ReportPeriod)
                continue;
            reportedAt = since.Elapsed;
            Say($"{what}: {(now - before) / 1e6:F1} of {shape.Expected / 1e6:F1} million");
        }

        await shape.Done;
        Assert.Equal(shape.Expected, Volatile.Read(ref _handledCount) - before);
        Say($"{what}: {shape.Expected / 1e6:F1} million in {since.Elapsed.TotalSeconds:F1} s");
        return shape.Expected;
    }

    private string Stuck() => string.Join(", ", _system.Inspect().Children
        .Where(child => child.MailboxDepth > 0)
        .Select(child => $"{child.Path} is {child.State} with {child.MailboxDepth} waiting"));

    private static void Say(string line) => Console.Error.WriteLine($"  {line}");

    private int _nameCount;

    private ActorRef Spawn(Func<object, ActorTurn, ValueTask> receive, int capacity = 1024) =>
        _system.Spawn(ActorWorld.Script($"a{_nameCount++}", receive, capacity: capacity));

    private (Task, long) Flood(int producers, int total, int capacity = 1024)
    {
        int each = total / producers;
        long left = (long)each * producers;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        object message = new();
        // Only the actor writes these: handled one by one, on one turn at a time.
        var receiver = Spawn((_, _) =>
        {
            _handledCount++;
            if (--left == 0)
                done.SetResult();
            return default;
        }, capacity);
        var sending = Enumerable.Range(0, producers).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < each; i++)
            {
                var sent = receiver.SendAsync(message);
                Assert.Equal(SendResult.Ok, sent.IsCompletedSuccessfully ? sent.Result : await sent);
            }
        }));
        return (Task.WhenAll([.. sending, done.Task]), (long)each * producers);
    }

    private (Task, long) PingPong(int pairs, int roundTrips)
    {
        int each = roundTrips / pairs * 2;
        var finished = new List<Task>();
        for (int pair = 0; pair < pairs; pair++)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            int left = each;
            // The ball is where it is: whoever handles it is alone with the count.
            ValueTask Return(object ball, ActorTurn turn)
            {
                Interlocked.Increment(ref _handledCount);
                if (--left == 0)
                    done.SetResult();
                else
                    turn.Sender!.TrySend(ball, turn.Self);
                return default;
            }

            var (ping, pong) = (Spawn(Return), Spawn(Return));
            ping.TrySend(new object(), pong);
            finished.Add(done.Task);
        }

        return (Task.WhenAll(finished), (long)each * pairs);
    }

    private (Task, long) Ring(int length, int tokens, int hops)
    {
        long left = hops;
        int alive = tokens;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var ring = new ActorRef[length];
        for (int i = 0; i < length; i++)
        {
            int next = (i + 1) % length;
            ring[i] = Spawn((token, _) =>
            {
                Interlocked.Increment(ref _handledCount);
                if (Interlocked.Decrement(ref left) >= tokens)
                    ring[next].TrySend(token);
                else if (Interlocked.Decrement(ref alive) == 0)
                    done.SetResult();
                return default;
            });
        }

        for (int token = 0; token < tokens; token++)
            ring[token * length / tokens].TrySend(new object());
        return (done.Task, hops);
    }

    // Each burst begins when the last of the one before has just been handled: about when the actor falls asleep.
    private (Task, long) Bursts(int producers, int bursts)
    {
        long handled = 0;
        object message = new();
        var receiver = Spawn((_, _) =>
        {
            _handledCount++;
            Volatile.Write(ref handled, handled + 1);
            return default;
        });
        long expected = 0;
        for (int burst = 0; burst < bursts; burst++)
            expected += (burst % 3) + 1;
        long sent = 0;
        var sending = Enumerable.Range(0, producers).Select(producer => Task.Factory.StartNew(() =>
        {
            for (int burst = 0; burst < bursts; burst++)
            {
                int size = (burst % 3) + 1;
                for (int i = 0; i < size; i++)
                {
                    while (receiver.TrySend(message) != SendResult.Ok)
                        Thread.SpinWait(10);
                }

                long due = Interlocked.Add(ref sent, size);
                var spinner = new SpinWait();
                // Not for all that others have sent meanwhile: then nobody would ever be at the edge.
                while (Volatile.Read(ref handled) < due - ((producers - 1) * 3))
                    spinner.SpinOnce(sleep1Threshold: -1);
                // A gap of its own length each time, so that sends meet every step of falling asleep.
                Thread.SpinWait(burst % 97);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToList();
        return (Finish(), expected * producers);

        async Task Finish()
        {
            await Task.WhenAll(sending);
            while (Volatile.Read(ref handled) < expected * producers)
                await Task.Yield();
        }
    }

    // The system lane has a way of its own to wake an actor: watchers and stops against messages and idleness.
    private (Task, long) Commands(int rounds)
    {
        var finished = Task.Run(async () =>
        {
            for (int round = 0; round < rounds; round++)
            {
                var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                var victim = _system.Spawn(new ActorOptions
                {
                    Create = () => new ScriptedActor((_, _) =>
                    {
                        Interlocked.Increment(ref _handledCount);
                        return default;
                    }, started: null, restarting: null, stopped: _ =>
                    {
                        gone.SetResult();
                        return default;
                    }),
                });
                // Handled before it is told to stop, or the count would be anybody's guess.
                long before = Volatile.Read(ref _handledCount);
                victim.TrySend(gone);
                var spinner = new SpinWait();
                while (Volatile.Read(ref _handledCount) == before)
                    spinner.SpinOnce(sleep1Threshold: -1);
                Thread.SpinWait(round % 53);
                _system.Stop(victim);
                await gone.Task;
            }
        });
        return (finished, rounds);
    }
}
