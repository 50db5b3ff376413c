using Astra.Kernel.Actors;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class SendTests
{
    [Fact]
    public void Messages_of_one_sender_are_handled_in_the_order_in_which_they_were_sent()
    {
        var world = new ActorWorld();
        var handled = new List<object>();
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add(message);
            return default;
        });

        for (int i = 0; i < 1000; i++)
            Assert.Equal(SendResult.Ok, actor.TrySend(i));
        world.RunUntilQuiet();

        Assert.Equal(Enumerable.Range(0, 1000), handled.Cast<int>());
    }

    [Fact]
    public void A_full_mailbox_is_an_answer_and_loses_nothing_that_it_took()
    {
        var world = new ActorWorld();
        int handled = 0;
        var actor = world.Spawn("a", (_, _) =>
        {
            handled++;
            return default;
        }, capacity: 10);

        for (int i = 0; i < 10; i++)
            Assert.Equal(SendResult.Ok, actor.TrySend(i));
        Assert.Equal(SendResult.Full, actor.TrySend(10));
        Assert.Equal(10, actor.MailboxDepth);

        world.RunUntilQuiet();
        Assert.Equal(10, handled);
        Assert.Equal(0, actor.MailboxDepth);
        Assert.Equal(SendResult.Ok, actor.TrySend(11));
        Assert.Equal(0, world.System.DeadLetters.Count);
    }

    [Fact]
    public void The_bound_is_exact_for_every_capacity_and_every_history() =>
        Prop.ForAll<PositiveInt, int[]>((bound, bursts) =>
    {
        int capacity = 1 + (bound.Get % 600);
        var world = new ActorWorld();
        var (sent, handled) = (new List<int>(), new List<int>());
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add((int)message);
            return default;
        }, capacity: capacity);
        foreach (int burst in bursts)
        {
            int size = Math.Abs(burst % 1000);
            for (int i = 0; i < size; i++)
            {
                bool hasRoom = i < capacity;
                Assert.Equal(hasRoom ? SendResult.Ok : SendResult.Full, actor.TrySend(sent.Count));
                if (hasRoom)
                    sent.Add(sent.Count);
            }

            world.RunUntilQuiet();
        }

        Assert.Equal(sent, handled);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_sender_may_wait_for_room_and_is_served_in_turn()
    {
        var world = new ActorWorld();
        var handled = new List<object>();
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add(message);
            return default;
        }, capacity: 2);
        var sends = Enumerable.Range(0, 10).Select(i => actor.SendAsync(i).AsTask()).ToList();
        Assert.Equal(2, sends.Count(send => send.IsCompleted));
        world.RunUntilQuiet();
        Assert.All(sends, send => Assert.Equal(SendResult.Ok, send.Result));
        Assert.Equal(Enumerable.Range(0, 10), handled.Cast<int>());
    }

    [Fact]
    public void Who_waits_for_room_is_let_in_although_the_mailbox_is_never_empty()
    {
        const int capacity = 4;
        var world = new ActorWorld(messagesPerTurn: 2);
        int handledBeforeGuest = 0;
        bool isGuestIn = false;
        var actor = world.Spawn("a", (message, turn) =>
        {
            isGuestIn |= message is "guest";
            if (!isGuestIn && ++handledBeforeGuest < 1_000 && message is "for ever")
                turn.Self.TrySend(message);
            return default;
        }, capacity: capacity);
        foreach (string message in new[] { "once", "for ever", "for ever", "for ever" })
            Assert.Equal(SendResult.Ok, actor.TrySend(message));
        var waiting = actor.SendAsync("guest").AsTask();
        world.RunUntilQuiet();
        Assert.Equal(SendResult.Ok, waiting.Result);
        Assert.InRange(handledBeforeGuest, 1, 3 * capacity);
    }

    [Fact]
    public void Whoever_waits_for_room_goes_on_where_it_was()
    {
        var world = new ActorWorld();
        var receiver = world.Spawn("receiver", (_, _) => default, capacity: 1);
        SynchronizationContext? before = null;
        SynchronizationContext? after = null;
        var sender = world.Spawn("sender", async (_, turn) =>
        {
            before = SynchronizationContext.Current;
            receiver.TrySend("first");
            await receiver.SendAsync("second", turn.Self);
            after = SynchronizationContext.Current;
        });
        sender.TrySend("go");
        world.RunUntilQuiet();
        Assert.NotNull(after);
        Assert.Same(before, after);
    }

    [Fact]
    public void A_cancelled_wait_for_room_sends_nothing()
    {
        var world = new ActorWorld();
        var handled = new List<object>();
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add(message);
            return default;
        }, capacity: 1);
        using var cancellation = new CancellationTokenSource();
        actor.TrySend("first");
        var cancelled = actor.SendAsync("cancelled", null, cancellation.Token).AsTask();
        var last = actor.SendAsync("last").AsTask();
        cancellation.Cancel();
        world.RunUntilQuiet();
        Assert.True(cancelled.IsCanceled);
        Assert.Equal(SendResult.Ok, last.Result);
        Assert.Equal(["first", "last"], handled);
    }

    [Fact]
    public void Senders_that_wait_for_room_are_told_when_the_actor_stops()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", (_, _) => default, capacity: 1);
        actor.TrySend("first");
        var waiting = actor.SendAsync("second").AsTask();
        world.System.Stop(actor);
        world.RunUntilQuiet();
        Assert.Equal(SendResult.Stopped, waiting.Result);
        Assert.Equal(2, world.System.DeadLetters.Count);
    }

    [Fact]
    public void A_stop_overtakes_the_messages_that_wait()
    {
        var world = new ActorWorld();
        int handled = 0;
        var actor = world.Spawn("a", (_, turn) =>
        {
            handled++;
            turn.StopSelf();
            return default;
        });
        for (int i = 0; i < 100; i++)
            actor.TrySend(i);
        world.RunUntilQuiet();
        Assert.Equal(1, handled);
        Assert.Equal(99, world.System.DeadLetters.Count);
        Assert.All(
            world.System.DeadLetters.Recent(), letter => Assert.Equal(DeadLetterReason.ActorStopped, letter.Reason));
    }

    [Fact]
    public void A_busy_actor_lets_its_neighbours_run_after_each_quantum()
    {
        var world = new ActorWorld(messagesPerTurn: 64);
        var log = new List<string>();
        var busy = world.Spawn("busy", (_, _) => Log("busy"));
        var quiet = world.Spawn("quiet", (_, _) => Log("quiet"));
        for (int i = 0; i < 1000; i++)
            busy.TrySend(i);
        quiet.TrySend("hello");
        world.RunUntilQuiet();
        Assert.Equal(64, log.IndexOf("quiet"));

        ValueTask Log(string line)
        {
            log.Add(line);
            return default;
        }
    }

    [Fact]
    public void A_message_to_a_stopped_actor_is_a_dead_letter_with_the_reason()
    {
        var world = new ActorWorld();
        var told = new List<DeadLetter>();
        world.System.DeadLetters.Arrived += told.Add;
        var actor = world.Spawn("a", (_, _) => default);
        world.System.Stop(actor);
        world.RunUntilQuiet();
        Assert.Equal(SendResult.Stopped, actor.TrySend("hello"));
        var letter = Assert.Single(told);
        Assert.Equal(
            ("hello", actor, DeadLetterReason.ActorStopped), (letter.Message, letter.Recipient, letter.Reason));
        Assert.Equal(told, world.System.DeadLetters.Recent());
    }

    [Fact]
    public void A_reply_to_nobody_is_a_dead_letter()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", (_, turn) =>
        {
            turn.Reply("to whom?");
            return default;
        });
        world.Tell(actor, "anonymous");
        Assert.Equal(DeadLetterReason.NoSender, Assert.Single(world.System.DeadLetters.Recent()).Reason);
    }

    [Fact]
    public void The_dead_letter_office_counts_all_and_keeps_the_last()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", (_, _) => default);
        world.System.Stop(actor);
        world.RunUntilQuiet();
        for (int i = 0; i < 1000; i++)
            actor.TrySend(i);
        Assert.Equal(1000, world.System.DeadLetters.Count);
        Assert.Equal(
            Enumerable.Range(744, 256), world.System.DeadLetters.Recent().Select(letter => (int)letter.Message));
    }

    [Fact]
    public void A_failing_actor_is_restarted_after_the_backoff_with_its_mailbox()
    {
        var world = new ActorWorld();
        var handled = new List<(int Incarnation, object Message)>();
        var actor = world.Spawn("a", (message, turn) =>
        {
            if (message is "poison")
                throw new InvalidOperationException("poison");
            handled.Add((turn.Incarnation, message));
            return default;
        });

        actor.TrySend("poison");
        actor.TrySend("next");
        world.RunUntilQuiet();
        Assert.Empty(handled);

        world.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal([(2, "next")], handled);
        var letter = Assert.Single(world.System.DeadLetters.Recent());
        Assert.Equal(("poison", DeadLetterReason.HandlerFailed), (letter.Message, letter.Reason));
    }
}
