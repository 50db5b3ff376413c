using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>The production dispatcher: turns that wake turns, on real threads. A hang is cut off by the patience.</summary>
public sealed class TrampolineTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;

    public TrampolineTests() => _system = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public async ValueTask DisposeAsync()
    {
        await _system.StopAsync(TimeSpan.FromSeconds(5));
        _dispatcher.Dispose();
    }

    [Fact]
    public async Task A_handler_that_blocks_its_thread_does_not_hold_up_an_actor_that_it_has_woken()
    {
        for (int round = 0; round < 10; round++)
        {
            using var handled = new ManualResetEventSlim();
            var done = new TaskCompletionSource<bool>();
            var neighbour = _system.Spawn(ActorWorld.Script($"neighbour{round}", (_, _) =>
            {
                handled.Set();
                return default;
            }));
            var blocking = _system.Spawn(ActorWorld.Script($"blocking{round}", (_, _) =>
            {
                neighbour.TrySend("go");
                done.SetResult(handled.Wait(Patience));
                return default;
            }));
            blocking.TrySend("block");
            Assert.True(await done.Task.WaitAsync(Patience));
        }
    }

    [Fact]
    public async Task What_is_queued_behind_a_handler_that_does_not_end_runs_elsewhere_exactly_once()
    {
        const int neighbours = 1_000;
        for (int round = 0; round < 20; round++)
        {
            int[] handled = new int[2 * neighbours];
            int count = 0;
            var done = new TaskCompletionSource();
            var all = Enumerable.Range(0, handled.Length).Select(i => _system.Spawn(ActorWorld.Script($"n{round}-{i}", (_, _) =>
            {
                Interlocked.Increment(ref handled[i]);
                if (Interlocked.Increment(ref count) == handled.Length)
                    done.SetResult();
                return default;
            }))).ToList();
            var busy = _system.Spawn(ActorWorld.Script($"busy{round}", (_, turn) =>
            {
                for (int i = 0; i < neighbours; i++)
                    all[i].TrySend("go");
                // Only other threads can do this: the queue has to be taken away from us.
                var until = turn.Clock.Elapsed + Patience;
                while (Volatile.Read(ref count) < neighbours && turn.Clock.Elapsed < until)
                    Thread.SpinWait(20);
                for (int i = neighbours; i < handled.Length; i++)
                    all[i].TrySend("go");
                return default;
            }));
            busy.TrySend("go");
            await done.Task.WaitAsync(Patience);
            Assert.All(handled, times => Assert.Equal(1, times));
        }
    }

    [Fact]
    public async Task Ten_thousand_actors_that_wait_for_slow_calls_hold_no_thread()
    {
        const int actors = 10_000;
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int inside = 0, waiting = 0, finished = 0;
        var (allWait, allFinished) = (new TaskCompletionSource(), new TaskCompletionSource());
        for (int i = 0; i < actors; i++)
        {
            _system.Spawn(ActorWorld.Script($"a{i}", async (_, _) =>
            {
                Interlocked.Increment(ref inside);
                if (Interlocked.Increment(ref waiting) == actors)
                    allWait.SetResult();
                Interlocked.Decrement(ref inside);
                await answer.Task;
                if (Interlocked.Increment(ref finished) == actors)
                    allFinished.SetResult();
            })).TrySend("call");
        }

        await allWait.Task.WaitAsync(Patience);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref inside) == 0, Patience));
        Assert.Equal(0, finished);
        // The threads are free for others, which run at once.
        await Task.Run(() => { }).WaitAsync(Patience);
        answer.SetResult();
        await allFinished.Task.WaitAsync(Patience);
    }
}
