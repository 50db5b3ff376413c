using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class ShutdownTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    private readonly ActorWorld _world = new();
    private readonly List<string> _log = [];

    private ActorOptions Node(string name, params ActorOptions[] children) => ActorWorld.Script(name,
        (_, _) => default,
        started: turn =>
        {
            foreach (var child in children)
                turn.Spawn(child);
            return default;
        },
        stopped: turn =>
        {
            _log.Add(turn.Self.Path);
            return default;
        });

    [Fact]
    public void Children_stop_before_their_parents()
    {
        _world.System.Spawn(Node("a", Node("b", Node("c")), Node("d")));
        _world.RunUntilQuiet();
        var stop = _world.System.StopAsync(Deadline).AsTask();
        _world.RunUntilQuiet();
        Assert.Empty(stop.Result.Abandoned);
        Assert.Equal(["/a", "/a/b", "/a/b/c", "/a/d"], _log.Order());
        Assert.True(_log.IndexOf("/a/b/c") < _log.IndexOf("/a/b"));
        Assert.Equal("/a", _log[^1]);
    }

    [Fact]
    public void A_stop_waits_for_the_current_message_and_leaves_the_others_to_the_dead_letter_office()
    {
        var gate = new TaskCompletionSource();
        var replies = new List<object>();
        var asker = _world.Spawn("asker", (message, _) =>
        {
            replies.Add(message);
            return default;
        });
        var actor = _world.Spawn("a", async (_, turn) =>
        {
            await gate.Task;
            turn.Reply("finished");
        });
        actor.TrySend("current", asker);
        _world.RunUntilQuiet();
        actor.TrySend("waiting", asker);
        _world.System.Stop(actor);
        _world.RunUntilQuiet();
        Assert.Equal(ActorState.Stopping, _world.Find("/a")!.State);
        Assert.Equal("waiting", Assert.Single(_world.System.DeadLetters.Recent()).Message);

        gate.SetResult();
        _world.RunUntilQuiet();
        Assert.Null(_world.Find("/a"));
        Assert.Equal(["finished"], replies);
    }

    [Fact]
    public void A_handler_learns_from_its_token_that_its_actor_is_to_stop()
    {
        var actor = _world.Spawn("a", async (_, turn) =>
        {
            var stopped = new TaskCompletionSource();
            using var registration = turn.Ending.Register(stopped.SetResult);
            await stopped.Task;
            _log.Add("hurried");
        });
        _world.Tell(actor, "work");
        _world.System.Stop(actor);
        _world.RunUntilQuiet();
        Assert.Equal(["hurried"], _log);
        Assert.Null(_world.Find("/a"));
    }

    [Fact]
    public void A_child_that_ignores_the_stop_is_abandoned_and_reported_and_its_parent_still_stops_in_good_order()
    {
        var hanging = ActorWorld.Script("hangs", async (_, _) => await new TaskCompletionSource().Task,
            started: turn =>
            {
                turn.Self.TrySend("hang");
                return default;
            });
        _world.System.Spawn(Node("a", hanging, Node("good")));
        _world.RunUntilQuiet();
        var stop = _world.System.StopAsync(Deadline).AsTask();
        _world.Advance(Deadline - TimeSpan.FromTicks(1));
        Assert.False(stop.IsCompleted);
        _world.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(["/a/hangs"], stop.Result.Abandoned);
        Assert.Equal(["/a/good", "/a"], _log);
    }

    [Fact]
    public void A_child_that_hangs_does_not_keep_its_parent_from_being_restarted()
    {
        var hanging = ActorWorld.Script("hangs", async (_, _) => await new TaskCompletionSource().Task,
            started: turn =>
            {
                turn.Self.TrySend("hang");
                return default;
            });
        var parent = _world.Spawn("parent", (_, _) => throw new InvalidOperationException(), started: turn =>
        {
            turn.Spawn(hanging);
            return default;
        });
        _world.Tell(parent, "fail");
        _world.Advance(hanging.StopDeadline - TimeSpan.FromTicks(1));
        Assert.Equal(ActorState.Halting, _world.Find("/parent")!.State);
        _world.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(ActorState.Running, _world.Find("/parent")!.State);
        Assert.Equal("/parent/hangs", Assert.Single(_world.Events.OfType<ActorAbandoned>()).Actor.Path);
    }

    [Fact]
    public void A_stopping_system_takes_no_new_actors()
    {
        _ = _world.System.StopAsync(Deadline).AsTask();
        _world.RunUntilQuiet();
        Assert.Throws<ActorStoppedException>(() => _world.System.Spawn(Node("late")));
    }

    [Fact]
    public void A_failure_while_stopping_is_kept_and_does_not_stop_the_stop()
    {
        var why = new InvalidOperationException("lost work");
        var actor = _world.Spawn("a", (_, _) => default, stopped: _ => throw why);
        _world.System.Stop(actor);
        _world.RunUntilQuiet();
        Assert.Same(why, Assert.Single(_world.Events.OfType<ActorStopped>()).LastFailure);
    }

    [Fact]
    public void A_watcher_hears_of_the_end_after_everything_that_was_sent_before_it()
    {
        var received = new List<object>();
        var worker = _world.Spawn("worker", (_, turn) =>
        {
            turn.Reply(1);
            turn.Reply(2);
            turn.StopSelf();
            return default;
        });
        var watcher = _world.Spawn("watcher", (message, turn) =>
        {
            if (message is "begin")
            {
                turn.Watch(worker);
                worker.TrySend("go", turn.Self);
            }
            else
            {
                received.Add(message);
            }

            return default;
        }, capacity: 1);
        _world.Tell(watcher, "begin");
        Assert.Equal([1, new Terminated(worker)], received.Where(message => message is not 2));
    }

    [Fact]
    public void Watching_the_dead_is_answered_at_once_and_unwatching_is_heeded()
    {
        var received = new List<object>();
        var dead = _world.Spawn("dead", (_, _) => default);
        var dying = _world.Spawn("dying", (_, _) => default);
        _world.System.Stop(dead);
        _world.RunUntilQuiet();
        var watcher = _world.Spawn("watcher", (message, turn) =>
        {
            received.Add(message);
            if (message is not "watch")
                return default;
            turn.Watch(dead);
            turn.Watch(dying);
            turn.Unwatch(dying);
            return default;
        });
        _world.Tell(watcher, "watch");
        _world.System.Stop(dying);
        _world.RunUntilQuiet();
        Assert.Equal(["watch", new Terminated(dead)], received);
    }

    [Fact]
    public void A_name_is_free_again_when_a_watcher_hears_of_the_end()
    {
        int lives = 0;
        var child = ActorWorld.Script("child", (_, turn) =>
        {
            turn.StopSelf();
            return default;
        }, started: turn =>
        {
            if (lives++ < 3)
                turn.Self.TrySend("die");
            return default;
        });
        _world.Spawn("parent", (message, turn) =>
        {
            turn.Watch(turn.Spawn(child));
            return default;
        }, started: turn =>
        {
            turn.Watch(turn.Spawn(child));
            return default;
        });
        Assert.Equal(4, lives);
        Assert.NotNull(_world.Find("/parent/child"));
    }

    [Fact]
    public void Two_living_siblings_cannot_have_one_name()
    {
        var first = _world.System.Spawn(Node("a"));
        var taken = Assert.Throws<ActorNameTakenException>(() => _world.System.Spawn(Node("a")));
        Assert.Equal("/ already has a child named 'a'; stop that one, or choose another name.", taken.Message);
        _world.System.Stop(first);
        _world.RunUntilQuiet();
        Assert.NotSame(first, _world.System.Spawn(Node("a")));
    }
}
