using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public sealed class IdleRingTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private static ActorSnapshot Child(ActorSnapshot root, string path) => root.Children.Single(child => child.Path == path);

    [Fact]
    public void A_mailbox_that_a_burst_has_made_grow_gives_its_ring_back_when_it_has_been_idle()
    {
        var world = new ActorWorld();
        var handled = new List<object>();
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add(message);
            return default;
        });
        void Burst(int from, int count)
        {
            for (int i = from; i < from + count; i++)
                Assert.Equal(SendResult.Ok, actor.TrySend(i));
            world.RunUntilQuiet();
        }

        Burst(0, 500);
        Assert.True(Child(world.System.Inspect(), "/a").MailboxSlots >= 500);
        world.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(0, Child(world.System.Inspect(), "/a").MailboxSlots);
        Assert.Null(world.Node.World.NextTimerAt());

        Burst(500, 300);
        Assert.Equal(Enumerable.Range(0, 800), handled.Cast<int>());
    }

    [Theory]
    [InlineData(1, 1000)]
    [InlineData(3, 100)]
    public async Task Rings_that_come_and_go_under_racing_producers_lose_nothing_and_keep_the_order(int producers, int capacity)
    {
        // Every timer is due at once, so that rings are given back all the time and not after seconds.
        using var pool = new ThreadPoolDispatcher();
        var system = new ActorSystem(new Impatient(pool), new SystemClock(), new SystemRandomness());
        const int rounds = 3_000, burst = 30;
        int[] next = new int[producers];
        bool isInOrder = true;
        int handled = 0;
        var actor = system.Spawn(ActorWorld.Script("a", (message, _) =>
        {
            var (producer, number) = ((int, int))message;
            isInOrder &= next[producer]++ == number;
            Volatile.Write(ref handled, handled + 1);
            return default;
        }, capacity: capacity));

        await Task.WhenAll(Enumerable.Range(0, producers).Select(producer => Task.Factory.StartNew(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                for (int i = 0; i < burst; i++)
                {
                    var spinner = new SpinWait();
                    while (actor.TrySend((producer, (round * burst) + i)) != SendResult.Ok)
                        spinner.SpinOnce(sleep1Threshold: -1);
                }

                // A pause now and then, in which the mailbox runs empty.
                if (round % 3 == producer % 3)
                    SpinWait.SpinUntil(() => actor.MailboxDepth == 0, Patience);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))).WaitAsync(Patience);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref handled) == producers * rounds * burst, Patience));
        Assert.True(isInOrder);
        Assert.Equal(0, system.DeadLetters.Count);
    }

    private sealed class Impatient(ThreadPoolDispatcher pool) : IDispatcher
    {
        public SynchronizationContext Continuations => pool.Continuations;

        public Metronome Metronome => pool.Metronome;

        public void Post(IThreadPoolWorkItem turn) => pool.Post(turn);

        public void Requeue(IThreadPoolWorkItem turn) => pool.Requeue(turn);

        public IDisposable Schedule(TimeSpan delay, Action callback) => pool.Schedule(TimeSpan.Zero, callback);
    }
}
