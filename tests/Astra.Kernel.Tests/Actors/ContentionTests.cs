using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>Real threads that race a stop, each other, and a ring that grows and is given back.</summary>
public sealed class ContentionTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;

    public ContentionTests() => _system = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public async ValueTask DisposeAsync()
    {
        await _system.StopAsync(TimeSpan.FromSeconds(5));
        _dispatcher.Dispose();
    }

    private sealed record Letter(int From, int To, int Number);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public async Task Every_pair_of_sender_and_receiver_keeps_its_order_while_all_write_to_all(int actorCount)
    {
        // Actors write to each other; mailboxes are so small that most sends find them full and wait.
        const int each = 400;
        int[,] next = new int[actorCount, actorCount];
        bool isInOrder = true;
        int left = actorCount * actorCount * each;
        var done = new TaskCompletionSource();
        var actors = new List<ActorRef>();
        for (int i = 0; i < actorCount; i++)
        {
            actors.Add(_system.Spawn(ActorWorld.Script($"a{i}", (message, _) =>
            {
                var letter = (Letter)message;
                if (next[letter.From, letter.To]++ != letter.Number)
                    isInOrder = false;
                if (Interlocked.Decrement(ref left) == 0)
                    done.SetResult();
                return default;
            }, capacity: 8)));
        }

        await Task.WhenAll(Enumerable.Range(0, actorCount).Select(from => Task.Run(async () =>
        {
            for (int number = 0; number < each; number++)
            {
                for (int to = 0; to < actorCount; to++)
                    Assert.Equal(SendResult.Ok, await actors[to].SendAsync(new Letter(from, to, number), actors[from]));
            }
        }))).WaitAsync(Patience);
        await done.Task.WaitAsync(Patience);
        Assert.True(isInOrder);
    }

    [Fact]
    public async Task Senders_that_wait_for_room_while_the_actor_stops_are_each_told_the_truth()
    {
        for (int round = 0; round < 100; round++)
        {
            const int senders = 8, each = 50;
            int[] ends = new int[senders * each];
            void Arrived(DeadLetter letter) => Interlocked.Increment(ref ends[(int)letter.Message]);
            _system.DeadLetters.Arrived += Arrived;
            var actor = _system.Spawn(ActorWorld.Script($"a{round}", (message, _) =>
            {
                Interlocked.Increment(ref ends[(int)message]);
                return default;
            }, capacity: 2));
            int taken = 0, refused = 0;
            var sending = Enumerable.Range(0, senders).Select(sender => Task.Run(async () =>
            {
                for (int i = 0; i < each; i++)
                {
                    var result = await actor.SendAsync((sender * each) + i);
                    Assert.NotEqual(SendResult.Full, result);
                    Interlocked.Increment(ref result == SendResult.Ok ? ref taken : ref refused);
                    if (taken == senders * each / 2)
                        _system.Stop(actor);
                }
            })).ToList();
            await Task.WhenAll(sending).WaitAsync(Patience);
            _system.Stop(actor);
            await Until(() => _system.Inspect().Children.All(child => child.Path != actor.Path));
            Assert.Equal(senders * each, taken + refused);
            Assert.All(ends, count => Assert.Equal(1, count));
            _system.DeadLetters.Arrived -= Arrived;
        }
    }

    [Fact]
    public async Task A_wait_that_is_cancelled_while_it_is_served_is_either_sent_or_cancelled()
    {
        int handled = 0, sent = 0;
        var actor = _system.Spawn(ActorWorld.Script("a", (_, _) =>
        {
            Interlocked.Increment(ref handled);
            return default;
        }, capacity: 1));
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 2_000; i++)
            {
                using var cancellation = new CancellationTokenSource();
                var sending = actor.SendAsync(i, null, cancellation.Token);
                await cancellation.CancelAsync();
                try
                {
                    Assert.Equal(SendResult.Ok, await sending);
                    Interlocked.Increment(ref sent);
                }
                catch (OperationCanceledException)
                {
                    // Then it was not sent.
                }
            }
        }))).WaitAsync(Patience);
        await Until(() => actor.MailboxDepth == 0 && Volatile.Read(ref handled) >= sent);
        Assert.Equal(sent, handled);
        Assert.Equal(0, _system.DeadLetters.Count);
    }

    [Fact]
    public async Task Bursts_that_make_the_ring_grow_and_pauses_that_let_it_go_lose_nothing_and_keep_the_order()
    {
        const int producers = 3, bursts = 300;
        int[] next = new int[producers];
        bool isInOrder = true;
        int handled = 0, sent = 0;
        var actor = _system.Spawn(ActorWorld.Script("a", (message, _) =>
        {
            var letter = (Letter)message;
            isInOrder &= next[letter.From]++ == letter.Number;
            Interlocked.Increment(ref handled);
            return default;
        }, capacity: 100_000));
        int[] numbers = new int[producers];
        for (int burst = 0; burst < bursts; burst++)
        {
            // Now and then a long one among the short: past every length that a ring can have.
            int size = burst % 10 == 0 ? 3_000 : 1 + (burst % 13);
            await Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Run(() =>
            {
                for (int i = 0; i < size; i++)
                    Assert.Equal(SendResult.Ok, actor.TrySend(new Letter(producer, 0, numbers[producer]++)));
            }))).WaitAsync(Patience);
            sent += producers * size;
            await Until(() => Volatile.Read(ref handled) == sent);
        }

        Assert.True(isInOrder);
        Assert.Equal(0, actor.MailboxDepth);
    }

    [Fact]
    public async Task A_restart_under_fire_keeps_the_mailbox_and_skips_only_the_poison()
    {
        const int producers = 4, each = 3_000;
        int[] handled = new int[producers * each], dead = new int[producers * each];
        _system.DeadLetters.Arrived += letter => Interlocked.Increment(ref dead[(int)letter.Message]);
        var policy = new SupervisionPolicy(
            backoff: new Backoff(TimeSpan.FromTicks(1), TimeSpan.FromTicks(1)),
            intensity: new RestartIntensity(1_000_000, TimeSpan.FromHours(1)));
        var spawned = new TaskCompletionSource<ActorRef>();
        _system.Spawn(ActorWorld.Script("parent", (_, _) => default, children: policy, started: turn =>
        {
            spawned.SetResult(turn.Spawn(ActorWorld.Script("child", (message, _) =>
            {
                if ((int)message % 100 == 0)
                    throw new InvalidOperationException("poison");
                Interlocked.Increment(ref handled[(int)message]);
                return default;
            }, capacity: 32)));
            return default;
        }));
        var actor = await spawned.Task.WaitAsync(Patience);
        await Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Run(async () =>
        {
            for (int i = 0; i < each; i++)
                Assert.Equal(SendResult.Ok, await actor.SendAsync((producer * each) + i));
        }))).WaitAsync(Patience);
        await Until(() => handled.Sum() + dead.Sum() >= producers * each);
        for (int i = 0; i < handled.Length; i++)
            Assert.Equal(i % 100 == 0 ? (0, 1) : (1, 0), (handled[i], dead[i]));
    }

    private static async Task Until(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!isSo())
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
