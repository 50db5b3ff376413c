using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class IncarnationTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public void An_awaiting_handler_keeps_its_actor_busy_and_holds_no_thread()
    {
        var world = new ActorWorld();
        var gate = new TaskCompletionSource();
        var log = new List<string>();
        var actor = world.Spawn("a", async (message, _) =>
        {
            log.Add($"{message} begins");
            if (message is "slow")
                await gate.Task;
            log.Add($"{message} ends");
        });
        actor.TrySend("slow");
        actor.TrySend("fast");
        world.RunUntilQuiet();
        Assert.Equal(["slow begins"], log);

        gate.SetResult();
        world.RunUntilQuiet();
        Assert.Equal(["slow begins", "slow ends", "fast begins", "fast ends"], log);
    }

    [Fact]
    public void A_handler_that_fails_after_an_await_is_supervised_like_any_other()
    {
        var world = new ActorWorld();
        var gate = new TaskCompletionSource();
        var actor = world.Spawn("a", async (_, _) =>
        {
            await gate.Task;
            throw new InvalidOperationException("late failure");
        });
        world.Tell(actor, "work");
        gate.SetResult();
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, world.Find("/a")!.RestartCount);
        Assert.Equal("work", Assert.Single(world.System.DeadLetters.Recent()).Message);
    }

    [Fact]
    public void A_wedged_actor_is_restarted_at_its_deadline_although_its_handler_never_returns()
    {
        var world = new ActorWorld();
        var handled = new List<object>();
        var actor = world.Spawn("a", async (message, _) =>
        {
            if (message is "hang")
                await new TaskCompletionSource().Task;
            handled.Add(message);
        }, deadline: Deadline);
        actor.TrySend("hang");
        actor.TrySend("next");
        world.Advance(Deadline - TimeSpan.FromTicks(1));
        Assert.Empty(world.Events.OfType<ActorFailed>());
        Assert.Empty(handled);

        world.Advance(TimeSpan.FromTicks(1));
        var failed = Assert.Single(world.Events.OfType<ActorFailed>());
        Assert.IsType<ActorWedgedException>(failed.Why);
        var letter = Assert.Single(world.System.DeadLetters.Recent());
        Assert.Equal(("hang", DeadLetterReason.ActorWedged), (letter.Message, letter.Reason));

        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["next"], handled);
        Assert.Equal(1, world.System.LostHandlerCount);
    }

    [Fact]
    public void A_message_within_its_deadline_is_left_alone_however_many_there_are()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", async (_, turn) =>
        {
            var rested = new TaskCompletionSource();
            using var alarm = world.Node.Schedule(Deadline - TimeSpan.FromSeconds(1), rested.SetResult);
            await rested.Task;
        }, deadline: Deadline);
        for (int i = 0; i < 10; i++)
            actor.TrySend(i);
        world.Advance(20 * Deadline);
        Assert.Equal(10, world.Find("/a")!.ProcessedCount);
        Assert.Empty(world.Events.OfType<ActorFailed>());
    }

    [Fact]
    public void What_a_revoked_incarnation_sends_replies_spawns_and_schedules_is_dropped()
    {
        var world = new ActorWorld();
        var gate = new TaskCompletionSource();
        var received = new List<object>();
        Exception? refused = null;
        ActorTurn? old = null;
        var other = world.Spawn("other", (message, _) =>
        {
            received.Add(message);
            return default;
        });
        var actor = world.Spawn("a", async (_, turn) =>
        {
            if (turn.Incarnation > 1)
                return;
            old = turn;
            await gate.Task;
            Assert.Equal(SendResult.Stopped, other.TrySend("sent", turn.Self));
            Assert.Equal(SendResult.Stopped, other.TrySend("sent without a name"));
            Assert.Equal(SendResult.Stopped, turn.Reply("reply"));
            turn.Schedule(TimeSpan.Zero, "timer");
            turn.StopSelf();
            refused = Record.Exception(() => turn.Spawn(ActorWorld.Script("child", (_, _) => default)));
        }, deadline: Deadline);
        actor.TrySend("hang", other);
        world.Advance(Deadline + TimeSpan.FromSeconds(1));
        Assert.True(old!.IsRevoked);
        Assert.True(old.Ending.IsCancellationRequested);
        Assert.Equal(1, world.System.LostHandlerCount);

        gate.SetResult();
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Empty(received);
        Assert.IsType<ActorStoppedException>(refused);
        Assert.Equal(0, world.Find("/a")!.MailboxDepth);
        Assert.Equal(ActorState.Running, world.Find("/a")!.State);
        Assert.Equal(0, world.System.LostHandlerCount);
        Assert.Equal(3, world.System.DeadLetters.Recent().Count(l => l.Reason == DeadLetterReason.SenderRevoked));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void What_a_handler_left_behind_goes_on_after_a_restart_and_what_it_sends_is_dropped(int awaitsBefore)
    {
        var world = new ActorWorld();
        var gates = new[] { new TaskCompletionSource(), new TaskCompletionSource() };
        var received = new List<object>();
        var hasGoneOn = false;
        var other = world.Spawn("other", (message, _) =>
        {
            received.Add(message);
            return default;
        });
        var actor = world.Spawn("a", (message, turn) =>
        {
            if (message is "fail")
                throw new InvalidOperationException("It fails.");
            _ = GoOnAsync();
            return default;
        });
        actor.TrySend("leave something behind");
        world.RunUntilQuiet();
        for (int i = 0; i < awaitsBefore; i++)
        {
            gates[i].SetResult();
            world.RunUntilQuiet();
        }
        actor.TrySend("fail");
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(1, world.Find("/a")!.RestartCount);

        foreach (var gate in gates)
            gate.TrySetResult();
        world.RunUntilQuiet();

        Assert.True(hasGoneOn);
        Assert.Empty(received);
        Assert.Equal(DeadLetterReason.SenderRevoked, world.System.DeadLetters.Recent()[^1].Reason);

        async Task GoOnAsync()
        {
            foreach (var gate in gates)
                await gate.Task;
            hasGoneOn = true;
            Assert.Equal(SendResult.Stopped, other.TrySend("sent"));
        }
    }

    [Fact]
    public void A_sibling_in_the_middle_of_a_message_is_revoked_with_its_group()
    {
        var world = new ActorWorld(new SupervisionPolicy(RestartStrategy.OneForAll));
        var gate = new TaskCompletionSource();
        bool finished = false;
        var busy = world.Spawn("busy", async (_, turn) =>
        {
            await gate.Task;
            finished = true;
            turn.Reply("done");
        });
        var failing = world.Spawn("failing", (_, _) => throw new InvalidOperationException());
        var answer = busy.AskAsync<string>("work", TimeSpan.FromMinutes(1)).AsTask();
        world.RunUntilQuiet();
        world.Tell(failing, "fail");
        world.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(1, world.Find("/busy")!.RestartCount);
        var gaveUp = Assert.IsType<MessageFailedException>(answer.Exception!.InnerException);
        Assert.IsType<InvalidOperationException>(gaveUp.InnerException);
        gate.SetResult();
        world.RunUntilQuiet();
        Assert.True(finished);
    }

    [Fact]
    public void Timers_die_with_their_incarnation()
    {
        var world = new ActorWorld();
        var received = new List<object>();
        var actor = world.Spawn("a", (message, turn) =>
        {
            if (message is "schedule")
            {
                turn.Schedule(TimeSpan.FromSeconds(10), "tick");
                throw new InvalidOperationException();
            }

            received.Add(message);
            return default;
        });
        world.Tell(actor, "schedule");
        world.Advance(TimeSpan.FromMinutes(1));
        Assert.Empty(received);
        Assert.Equal(1, world.Find("/a")!.RestartCount);
    }

    [Fact]
    public void A_timer_sends_to_its_actor_when_it_is_due_unless_disposed()
    {
        var world = new ActorWorld();
        var received = new List<(object, TimeSpan)>();
        var start = world.Node.Clock.Elapsed;
        world.Spawn("a", (message, turn) =>
        {
            received.Add((message, turn.Clock.Elapsed - start));
            return default;
        }, started: turn =>
        {
            turn.Schedule(TimeSpan.FromSeconds(2), "second");
            turn.Schedule(TimeSpan.FromSeconds(1), "first");
            turn.Schedule(TimeSpan.FromSeconds(1), "never").Dispose();
            return default;
        });
        world.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal([("first", TimeSpan.FromSeconds(1)), ("second", TimeSpan.FromSeconds(2))], received);
    }

    [Fact]
    public void The_children_of_a_restarted_actor_are_gone_before_its_next_incarnation_starts()
    {
        var world = new ActorWorld();
        var log = new List<string>();
        var actor = world.Spawn("a", (_, _) => throw new InvalidOperationException(),
            started: turn =>
            {
                log.Add($"a{turn.Incarnation}");
                turn.Spawn(ActorWorld.Script("child", (_, _) => default, stopped: _ =>
                {
                    log.Add("child stopped");
                    return default;
                }));
                return default;
            });
        world.Tell(actor, "fail");
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a1", "child stopped", "a2"], log);
        Assert.NotNull(world.Find("/a/child"));
    }

    [Fact]
    public void An_observer_may_send_while_it_is_told_that_an_incarnation_was_revoked()
    {
        var received = new List<object>();
        ActorRef? listener = null;
        var world = new ActorWorld(observe: happened =>
        {
            if (happened is ActorFailed)
                Assert.Equal(SendResult.Ok, listener!.TrySend(happened));
        });
        listener = world.Spawn("listener", (message, _) =>
        {
            received.Add(message);
            return default;
        });
        var actor = world.Spawn("a", async (_, _) => await new TaskCompletionSource().Task, deadline: Deadline);
        world.Tell(actor, "hang");
        world.Advance(Deadline);
        Assert.Single(received);
    }
}
