using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// The end of an actor that has neither watchers nor children costs it nothing, so whoever comes to watch or to be born
/// at that very moment has to look out for himself. Real threads; a hang is cut off by the patience.
/// </summary>
public sealed class EndRaceTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;

    public EndRaceTests() => _system = new ActorSystem(_dispatcher, new SystemClock(), new SystemRandomness());

    public async ValueTask DisposeAsync()
    {
        await _system.StopAsync(TimeSpan.FromSeconds(5));
        _dispatcher.Dispose();
    }

    [Fact]
    public async Task Whoever_begins_to_watch_an_actor_in_its_last_moment_is_told_of_its_end_exactly_once()
    {
        const int rounds = 20_000;
        int told = 0;
        var done = new TaskCompletionSource();
        var watcher = _system.Spawn(ActorWorld.Script("watcher", (message, turn) =>
        {
            if (message is ActorRef dying)
                turn.Watch(dying);
            else if (message is "end")
                done.SetResult();
            else if (message is Terminated)
                told++;
            return default;
        }));
        for (int round = 0; round < rounds; round++)
        {
            var dying = _system.Spawn(ActorWorld.Script($"dying{round}", (_, turn) =>
            {
                turn.StopSelf();
                return default;
            }));
            dying.TrySend("die");
            Assert.Equal(SendResult.Ok, await watcher.SendAsync(dying));
        }

        await UntilAsync(() => Volatile.Read(ref told) >= rounds);
        // Whatever was told twice has been told by the time everybody is gone.
        await UntilAsync(() => _system.Inspect().Children.Count == 1);
        watcher.TrySend("end");
        await done.Task.WaitAsync(Patience);
        Assert.Equal(rounds, told);
    }

    [Fact]
    public async Task A_child_born_while_its_parent_ends_is_refused_or_ends_with_it()
    {
        const int rounds = 5_000;
        int born = 0, refused = 0, living = 0;
        for (int round = 0; round < rounds; round++)
        {
            var (begun, spawning) = (new TaskCompletionSource(), new TaskCompletionSource());
            var parent = _system.Spawn(ActorWorld.Script($"parent{round}", async (_, turn) =>
            {
                begun.SetResult();
                await spawning.Task.ConfigureAwait(false);
                try
                {
                    turn.Spawn(ActorWorld.Script("child", (_, _) => default, started: _ => Count(1), stopped: _ => Count(-1)));
                    Interlocked.Increment(ref born);
                }
                catch (ActorStoppedException)
                {
                    Interlocked.Increment(ref refused);
                }
            }));
            parent.TrySend("spawn");
            // Stopped before that, it would never spawn anything.
            await begun.Task.WaitAsync(Patience);
            _ = Task.Run(spawning.SetResult);
            _system.Stop(parent);
        }

        await UntilAsync(() => Volatile.Read(ref born) + Volatile.Read(ref refused) == rounds);
        await UntilAsync(() => _system.Inspect().Children.Count == 0);
        Assert.Equal(0, living);

        ValueTask Count(int change)
        {
            Interlocked.Add(ref living, change);
            return default;
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(Patience);
        while (!condition())
        {
            deadline.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
