using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>
/// Threads that never come back, in actors whose messages have no deadline: nothing watches them until somebody wants
/// them gone.
/// </summary>
public sealed class StuckThreadTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly ThreadPoolDispatcher _dispatcher = new();
    private readonly ActorSystem _system;
    private readonly ManualResetEventSlim _release = new();
    private readonly List<LifecycleEvent> _events = [];

    public StuckThreadTests() => _system = new ActorSystem(
        _dispatcher, new SystemClock(), new SystemRandomness(), new ActorSystemOptions { Observe = Note });

    public async ValueTask DisposeAsync()
    {
        _release.Set();
        await _system.StopAsync(TimeSpan.FromSeconds(5));
        _dispatcher.Dispose();
        _release.Dispose();
    }

    private void Note(LifecycleEvent happened)
    {
        lock (_events)
            _events.Add(happened);
    }

    private ActorOptions Stuck(string name, TaskCompletionSource inside) => ActorWorld.Script(name, (_, _) =>
    {
        inside.TrySetResult();
        _release.Wait();
        return default;
    }) with
    { StopDeadline = TimeSpan.Zero };

    private async Task<ActorRef> StuckAsync(string name = "stuck")
    {
        var inside = new TaskCompletionSource();
        var actor = _system.Spawn(Stuck(name, inside));
        actor.TrySend("stick");
        await inside.Task.WaitAsync(Patience);
        return actor;
    }

    private async Task Gone(ActorRef actor)
    {
        var gone = new TaskCompletionSource();
        _system.Spawn(ActorWorld.Script($"watcher of {actor.Path.Replace('/', ' ')}", (message, _) =>
        {
            gone.TrySetResult();
            return default;
        }, started: turn =>
        {
            turn.Watch(actor);
            return default;
        }));
        await gone.Task.WaitAsync(Patience);
    }

    private async Task Until(Func<bool> isSo)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!isSo())
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    [Fact]
    public async Task An_actor_that_ignores_its_stop_is_abandoned_and_reported_and_its_name_is_free_again()
    {
        var stuck = await StuckAsync();
        stuck.TrySend("waiting");
        _system.Stop(stuck);
        await Gone(stuck);
        lock (_events)
            Assert.Same(stuck, Assert.Single(_events.OfType<ActorAbandoned>()).Actor);
        Assert.Equal((1, 1), (_system.LostHandlerCount, _system.LostThreadCount));
        Assert.Equal(SendResult.Stopped, stuck.TrySend("late"));
        Assert.NotSame(stuck, _system.Spawn(ActorWorld.Script("stuck", (_, _) => default)));

        // The thread does come back: it finds that it is no longer wanted, and buries what was left.
        _release.Set();
        await Until(() => _system.LostThreadCount == 0 && _system.LostHandlerCount == 0);
        await Until(() => _system.DeadLetters.Recent().Any(letter => letter.Message is "waiting"));
        Assert.Contains(_system.Inspect().Children, child => child.Path == "/stuck");
    }

    [Fact]
    public async Task A_child_with_a_stuck_thread_does_not_keep_its_parent_from_being_restarted()
    {
        var (inside, rebuilt) = (new TaskCompletionSource(), new TaskCompletionSource());
        var parent = _system.Spawn(ActorWorld.Script(
            "parent", (_, _) => throw new InvalidOperationException(), started: turn =>
        {
            if (turn.Incarnation == 1)
                turn.Spawn(Stuck("child", inside)).TrySend("stick");
            else
                rebuilt.SetResult();
            return default;
        }));
        await inside.Task.WaitAsync(Patience);
        parent.TrySend("fail");
        await rebuilt.Task.WaitAsync(Patience);
        lock (_events)
            Assert.Equal("/parent/child", Assert.Single(_events.OfType<ActorAbandoned>()).Actor.Path);
    }

    [Fact]
    public async Task The_children_of_a_stuck_actor_are_stopped_in_good_order_although_it_does_not_pass_the_stop_on()
    {
        var (inside, farewell) = (new TaskCompletionSource(), new TaskCompletionSource());
        var stuck = _system.Spawn(Stuck("stuck", inside) with
        {
            Create = () => new ScriptedActor((_, _) =>
            {
                inside.SetResult();
                _release.Wait();
                return default;
            }, started: turn =>
            {
                turn.Spawn(ActorWorld.Script("child", (_, _) => default, stopped: _ =>
                {
                    farewell.SetResult();
                    return default;
                }));
                return default;
            }, restarting: null, stopped: null),
        });
        stuck.TrySend("stick");
        await inside.Task.WaitAsync(Patience);
        _system.Stop(stuck);
        await farewell.Task.WaitAsync(Patience);
        await Gone(stuck);
        lock (_events)
            Assert.Same(stuck, Assert.Single(_events.OfType<ActorAbandoned>()).Actor);
    }

    [Fact]
    public async Task A_group_with_a_member_that_cannot_be_restarted_is_rebuilt_by_the_supervisor_above()
    {
        var inside = new TaskCompletionSource();
        var rebuilt = new TaskCompletionSource();
        var failing = new TaskCompletionSource<ActorRef>();
        var group = new SupervisionPolicy(
            RestartStrategy.OneForAll, backoff: new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)));
        _system.Spawn(ActorWorld.Script("parent", (_, _) => default, children: group, started: turn =>
        {
            if (turn.Incarnation > 1)
            {
                rebuilt.SetResult();
                return default;
            }

            turn.Spawn(Stuck("stuck", inside)).TrySend("stick");
            failing.SetResult(turn.Spawn(
                ActorWorld.Script("failing", (_, _) => throw new InvalidOperationException("ordinary"))));
            return default;
        }));
        await inside.Task.WaitAsync(Patience);
        (await failing.Task).TrySend("fail");
        await rebuilt.Task.WaitAsync(Patience);
        lock (_events)
        {
            Assert.Contains(_events.OfType<ActorFailed>(), failed =>
                failed.Actor.Path == "/parent" && failed.Why is ActorWedgedException);
            Assert.Equal("/parent/stuck", Assert.Single(_events.OfType<ActorAbandoned>()).Actor.Path);
        }
    }

    [Fact]
    public async Task An_idle_actor_that_is_told_to_stop_is_never_taken_for_a_stuck_one()
    {
        for (int i = 0; i < 2_000; i++)
        {
            var actor = _system.Spawn(ActorWorld.Script($"a{i}", (_, _) => default) with { StopDeadline = TimeSpan.Zero });
            _system.Stop(actor);
        }

        await Until(() => _system.Inspect().Children.Count == 0);
        lock (_events)
            Assert.Empty(_events.OfType<ActorAbandoned>());
    }
}
