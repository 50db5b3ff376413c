using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>Observers promise not to throw. Whoever breaks that promise breaks nothing else.</summary>
public class ThrowingObserverTests
{
    private static readonly Exception Ordinary = new InvalidOperationException("the actor's");

    private static ActorWorld World(SupervisionPolicy? topLevel = null) =>
        new(topLevel, observe: happened => throw new NotSupportedException($"told of {happened.GetType().Name}"));

    [Fact]
    public void An_observer_that_throws_keeps_no_actor_from_starting_failing_restarting_and_stopping()
    {
        var world = World();
        var handled = new List<object>();
        var actor = world.Spawn("a", (message, _) =>
        {
            handled.Add(message);
            return message is "fail" ? throw Ordinary : default;
        });
        foreach (string message in (string[])["before", "fail", "after"])
            actor.TrySend(message);
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["before", "fail", "after"], handled);
        Assert.Equal(1, world.Find("/a")!.RestartCount);

        var stop = world.System.StopAsync(TimeSpan.FromSeconds(1)).AsTask();
        world.RunUntilQuiet();
        Assert.Empty(stop.Result.Abandoned);
        Assert.Equal(world.Events.Count, world.System.ObserverFailureCount);
        Assert.IsType<NotSupportedException>(world.System.LastObserverFailure);
    }

    [Theory]
    [InlineData(Directive.Resume)]
    [InlineData(Directive.Stop)]
    [InlineData(Directive.Escalate)]
    public void An_observer_that_throws_changes_no_decision(Directive directive)
    {
        var world = World(new SupervisionPolicy(decide: _ => directive));
        var actor = world.Spawn("a", (_, _) => throw Ordinary);
        world.Tell(actor, "fail");
        Assert.Equal(directive == Directive.Resume, world.Find("/a") is not null);
        Assert.Equal(directive, Assert.Single(world.Events.OfType<FailureDecided>()).Directive);
    }

    [Fact]
    public void A_subscriber_of_dead_letters_that_throws_reaches_neither_the_sender_nor_the_other_subscribers()
    {
        var world = new ActorWorld();
        var told = new List<object>();
        world.System.DeadLetters.Arrived += _ => throw Ordinary;
        world.System.DeadLetters.Arrived += letter => told.Add(letter.Message);
        bool childStopped = false;
        var actor = world.Spawn("a", (_, _) => default, started: turn =>
        {
            turn.Spawn(ActorWorld.Script("child", (_, _) => default, stopped: _ =>
            {
                childStopped = true;
                return default;
            }));
            return default;
        });
        actor.TrySend("waiting");
        // The stop drains the mailbox before it stops the child.
        world.System.Stop(actor);
        world.RunUntilQuiet();
        Assert.Equal(SendResult.Stopped, actor.TrySend("late"));
        Assert.Equal(["waiting", "late"], told);
        Assert.True(childStopped);
        Assert.Equal(2, world.System.ObserverFailureCount);
    }
}
