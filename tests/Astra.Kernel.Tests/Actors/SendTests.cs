using Astra.Kernel.Actors;
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
