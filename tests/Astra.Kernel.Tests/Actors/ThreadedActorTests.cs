using System.Collections.Concurrent;
using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// What virtual time cannot show: real threads racing. Nothing sleeps; a hang is cut off by the patience.
/// </summary>
public sealed class ThreadedActorTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;

    public ThreadedActorTests() => _system = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public async ValueTask DisposeAsync()
    {
        await _system.StopAsync(TimeSpan.FromSeconds(5));
        _dispatcher.Dispose();
    }

    private sealed record Numbered(int Producer, int Number);

    private static Task OnThreads(int count, Action<int> body) => Task.WhenAll(Enumerable.Range(0, count).Select(i =>
        Task.Factory.StartNew(
            () => body(i), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    [Theory]
    [InlineData(1, 1024)]
    [InlineData(2, 8)]
    [InlineData(3, 1)]
    [InlineData(4, 64)]
    [InlineData(8, 1000)]
    [InlineData(16, 100_000)]
    public async Task Every_message_that_was_taken_is_handled_once_and_in_its_senders_order(int producers, int capacity)
    {
        int each = capacity < 16 ? 2_000 : 20_000;
        int[] next = new int[producers];
        bool isInOrder = true;
        int handled = 0, inside = 0;
        var done = new TaskCompletionSource();
        var actor = _system.Spawn(ActorWorld.Script("a", (message, _) =>
        {
            isInOrder &= Interlocked.Increment(ref inside) == 1;
            var numbered = (Numbered)message;
            isInOrder &= next[numbered.Producer]++ == numbered.Number;
            Interlocked.Decrement(ref inside);
            if (++handled == each * producers)
                done.SetResult();
            return default;
        }, capacity: capacity));

        await OnThreads(producers, producer =>
        {
            var spinner = new SpinWait();
            for (int i = 0; i < each; i++)
            {
                var message = new Numbered(producer, i);
                while (actor.TrySend(message) != SendResult.Ok)
                    spinner.SpinOnce(sleep1Threshold: -1);
            }
        });
        await done.Task.WaitAsync(Patience);
        Assert.True(isInOrder);
        Assert.Equal(0, _system.DeadLetters.Count);
        Assert.Equal(0, actor.MailboxDepth);
    }

    [Fact]
    public async Task Senders_that_wait_for_room_lose_nothing_and_keep_their_order()
    {
        const int producers = 8, each = 5_000;
        int[] next = new int[producers];
        bool isInOrder = true;
        int handled = 0;
        var done = new TaskCompletionSource();
        var actor = _system.Spawn(ActorWorld.Script("a", (message, _) =>
        {
            var numbered = (Numbered)message;
            isInOrder &= next[numbered.Producer]++ == numbered.Number;
            if (++handled == producers * each)
                done.SetResult();
            return default;
        }, capacity: 4));

        var sending = Enumerable.Range(0, producers).Select(producer => Task.Run(async () =>
        {
            for (int i = 0; i < each; i++)
                Assert.Equal(SendResult.Ok, await actor.SendAsync(new Numbered(producer, i)));
        }));
        await Task.WhenAll(sending).WaitAsync(Patience);
        await done.Task.WaitAsync(Patience);
        Assert.True(isInOrder);
    }

    [Fact]
    public async Task A_ring_that_grows_under_its_producers_loses_nothing()
    {
        for (int round = 0; round < 300; round++)
        {
            const int producers = 4, each = 300;
            int handled = 0;
            var done = new TaskCompletionSource();
            using var start = new Barrier(producers);
            var actor = _system.Spawn(ActorWorld.Script($"a{round}", (_, _) =>
            {
                if (++handled == producers * each)
                    done.SetResult();
                return default;
            }, capacity: producers * each));
            await Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                for (int i = 0; i < each; i++)
                    Assert.Equal(SendResult.Ok, actor.TrySend("message"));
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            await done.Task.WaitAsync(Patience);
        }
    }

    [Fact]
    public async Task A_message_that_races_a_stop_is_handled_or_is_a_dead_letter_and_never_both_or_neither()
    {
        for (int round = 0; round < 200; round++)
        {
            const int producers = 3;
            int handled = 0, taken = 0, refused = 0;
            long deadBefore = _system.DeadLetters.Count;
            using var start = new Barrier(producers + 1);
            var actor = _system.Spawn(ActorWorld.Script($"a{round}", (_, _) =>
            {
                handled++;
                return default;
            }));
            var sending = OnThreads(producers, _ =>
            {
                start.SignalAndWait();
                var result = SendResult.Ok;
                while (result != SendResult.Stopped)
                {
                    result = actor.TrySend("message");
                    Interlocked.Add(ref taken, result == SendResult.Ok ? 1 : 0);
                }

                Interlocked.Increment(ref refused);
            });
            start.SignalAndWait();
            _system.Stop(actor);
            await sending.WaitAsync(Patience);
            await Gone(actor);
            Assert.Equal(taken, handled + (_system.DeadLetters.Count - deadBefore - refused));
        }
    }

    /// <summary>Completes when the actor is gone and its mailbox drained.</summary>
    private async Task Gone(ActorRef actor)
    {
        var gone = new TaskCompletionSource();
        _system.Spawn(ActorWorld.Script("watcher of " + actor.Path.TrimStart('/'), (_, turn) =>
        {
            turn.StopSelf();
            gone.SetResult();
            return default;
        }, started: turn =>
        {
            turn.Watch(actor);
            return default;
        }));
        await gone.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task Commands_that_race_messages_and_each_other_wake_an_idle_actor_every_time()
    {
        for (int round = 0; round < 2_000; round++)
        {
            var actor = _system.Spawn(ActorWorld.Script($"a{round}", (_, _) => default));
            actor.TrySend("message");
            _system.Stop(actor);
            await Gone(actor);
        }
    }

    [Fact]
    public async Task A_thread_that_never_comes_back_loses_its_actor_to_a_new_incarnation()
    {
        using var release = new ManualResetEventSlim();
        var (second, afterwards) = (new TaskCompletionSource<int>(), new TaskCompletionSource<SendResult>());
        var actor = _system.Spawn(ActorWorld.Script("a", (message, turn) =>
        {
            if (message is "stick")
            {
                release.Wait();
                afterwards.SetResult(turn.Self.TrySend("from the past", turn.Self));
            }
            else
            {
                second.SetResult(turn.Incarnation);
            }

            return default;
        }, deadline: TimeSpan.FromMilliseconds(50)));
        actor.TrySend("stick");
        actor.TrySend("next");
        Assert.Equal(2, await second.Task.WaitAsync(Patience));
        Assert.Equal(1, _system.LostHandlerCount);

        release.Set();
        Assert.Equal(SendResult.Stopped, await afterwards.Task.WaitAsync(Patience));
        Assert.Contains(_system.DeadLetters.Recent(), letter => letter.Reason == DeadLetterReason.SenderRevoked);
    }

    [Fact]
    public async Task Messages_that_take_just_as_long_as_they_may_are_each_begun_once_and_given_up_at_most_once()
    {
        // The deadline is as long as the messages, so that completing and being taken off race all the time.
        var limit = TimeSpan.FromMilliseconds(2);
        var policy = new SupervisionPolicy(
            backoff: new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)),
            intensity: new RestartIntensity(1_000_000, TimeSpan.FromHours(1)));
        const int messages = 300;
        int[] begun = new int[messages], givenUp = new int[messages];
        _system.DeadLetters.Arrived += letter => Interlocked.Increment(ref givenUp[(int)letter.Message]);
        var (spawned, done) = (new TaskCompletionSource<ActorRef>(), new TaskCompletionSource());
        var child = ActorWorld.Script("child", (message, turn) =>
        {
            if (message is "last")
            {
                done.TrySetResult();
                return default;
            }

            Interlocked.Increment(ref begun[(int)message]);
            var until = turn.Clock.Elapsed + limit;
            while (turn.Clock.Elapsed < until)
                Thread.SpinWait(20);
            return default;
        }, deadline: limit);
        _system.Spawn(ActorWorld.Script("parent", (_, _) => default, children: policy, started: turn =>
        {
            spawned.SetResult(turn.Spawn(child));
            return default;
        }));

        var actor = await spawned.Task.WaitAsync(Patience);
        for (int i = 0; i < messages; i++)
            Assert.Equal(SendResult.Ok, actor.TrySend(i));
        actor.TrySend("last");
        await done.Task.WaitAsync(Patience);
        Assert.All(begun, count => Assert.Equal(1, count));
        Assert.All(givenUp, count => Assert.InRange(count, 0, 1));
    }

    [Fact]
    public async Task Actors_that_never_rest_starve_neither_each_other_nor_the_thread_pool()
    {
        // Twice as many pairs as cores, each of which would keep its thread busy for ever.
        int pairs = 2 * Environment.ProcessorCount;
        var heard = Enumerable.Range(0, pairs).Select(_ => new TaskCompletionSource()).ToList();
        for (int i = 0; i < pairs; i++)
        {
            var (pair, volleys) = (i, 0);
            var wall = _system.Spawn(ActorWorld.Script($"wall{i}", (message, turn) =>
            {
                turn.Reply(message);
                return default;
            }));
            var player = _system.Spawn(ActorWorld.Script($"player{i}", (message, turn) =>
            {
                if (++volleys == 10_000)
                    heard[pair].SetResult();
                wall.TrySend(message, turn.Self);
                return default;
            }));
            player.TrySend("ball");
        }

        await Task.WhenAll(heard.Select(pair => pair.Task)).WaitAsync(Patience);
        for (int i = 0; i < 100; i++)
            await Task.Run(() => { }).WaitAsync(Patience);
    }

    [Fact]
    public void A_send_allocates_nothing()
    {
        object message = new();
        int handled = 0;
        var actor = _system.Spawn(ActorWorld.Script("a", (_, _) =>
        {
            Interlocked.Increment(ref handled);
            return default;
        }));
        long Sent(int count)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < count; i++)
            {
                while (actor.TrySend(message) == SendResult.Full)
                    Thread.Yield();
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Sent(10_000);
        // Posting to the thread pool makes a few objects of its own, none of which is ours or once per message.
        Assert.InRange(Sent(100_000) / 100_000.0, 0, 0.5);
    }

    [Fact]
    public async Task Timers_fire_in_order_and_a_disposed_one_never()
    {
        var fired = new ConcurrentQueue<int>();
        var done = new TaskCompletionSource();
        // So far apart that a thread that loses its core between two of these lines changes nothing.
        _dispatcher.Schedule(TimeSpan.FromMilliseconds(2000), done.SetResult);
        _dispatcher.Schedule(TimeSpan.FromMilliseconds(1000), () => fired.Enqueue(2));
        _dispatcher.Schedule(TimeSpan.FromMilliseconds(10), () => fired.Enqueue(1));
        _dispatcher.Schedule(TimeSpan.FromMilliseconds(1500), () => fired.Enqueue(0)).Dispose();
        await done.Task.WaitAsync(Patience);
        Assert.Equal([1, 2], fired);
    }
}
