using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>What becomes of the message on which an actor failed.</summary>
public class PoisonTests
{
    private static readonly Exception Why = new InvalidOperationException("poison");

    public static TheoryData<Directive> Directives => [.. Enum.GetValues<Directive>()];

    [Theory]
    [MemberData(nameof(Directives))]
    public void Poison_is_a_dead_letter_by_default_whatever_the_directive(Directive directive)
    {
        var world = Fed(new SupervisionPolicy(decide: _ => directive), out var handled);
        var letter = Assert.Single(world.System.DeadLetters.Recent(), letter => letter.Message is "poison");
        Assert.Equal((DeadLetterReason.HandlerFailed, Why), (letter.Reason, letter.Cause));
        Assert.Equal(1, handled.Count(message => message is "poison"));
    }

    [Theory]
    [MemberData(nameof(Directives))]
    public void Poison_is_skipped_without_a_trace_of_its_content_where_the_policy_says_so(Directive directive)
    {
        var world = Fed(new SupervisionPolicy(decide: _ => directive, poison: PoisonPolicy.Skip), out var handled);
        Assert.DoesNotContain(world.System.DeadLetters.Recent(), letter => letter.Message is "poison");
        Assert.Same(Why, Assert.Single(world.Events.OfType<ActorFailed>()).Why);
        Assert.Equal(1, handled.Count(message => message is "poison"));
    }

    [Theory]
    [InlineData(Directive.Resume)]
    [InlineData(Directive.Restart)]
    public void What_waited_behind_the_poison_is_handled_in_its_order(Directive directive)
    {
        Fed(new SupervisionPolicy(decide: _ => directive, poison: PoisonPolicy.Skip), out var handled);
        Assert.Equal(["before", "poison", "after", "last"], handled);
    }

    [Fact]
    public void Whoever_asked_hears_of_the_failure_although_the_poison_is_skipped()
    {
        var world = new ActorWorld(new SupervisionPolicy(poison: PoisonPolicy.Skip));
        var actor = world.Spawn("a", (_, _) => throw Why);
        var answer = actor.AskAsync<int>("poison", TimeSpan.FromMinutes(1)).AsTask();
        world.RunUntilQuiet();
        Assert.Same(Why, Assert.IsType<MessageFailedException>(answer.Exception!.InnerException).InnerException);
        Assert.Equal(0, world.System.DeadLetters.Count);
    }

    [Fact]
    public void A_message_on_which_its_actor_wedged_is_poison_too()
    {
        var world = new ActorWorld(new SupervisionPolicy(poison: PoisonPolicy.Skip));
        var actor = world.Spawn(
            "a", async (_, _) => await new TaskCompletionSource().Task, deadline: TimeSpan.FromSeconds(1));
        world.Tell(actor, "hang");
        world.Advance(TimeSpan.FromSeconds(2));
        Assert.IsType<ActorWedgedException>(Assert.Single(world.Events.OfType<ActorFailed>()).Why);
        Assert.Equal(0, world.System.DeadLetters.Count);
    }

    [Fact]
    public void A_message_that_was_interrupted_for_a_siblings_sake_is_not_poison_and_is_never_skipped()
    {
        var world = new ActorWorld(new SupervisionPolicy(RestartStrategy.OneForAll, poison: PoisonPolicy.Skip));
        var innocent = world.Spawn("innocent", async (_, _) => await new TaskCompletionSource().Task);
        var failing = world.Spawn("failing", (_, _) => throw Why);
        world.Tell(innocent, "work");
        world.Tell(failing, "poison");
        var letter = Assert.Single(world.System.DeadLetters.Recent());
        Assert.Equal(("work", DeadLetterReason.IncarnationRevoked), (letter.Message, letter.Reason));
    }

    private static ActorWorld Fed(SupervisionPolicy policy, out List<object> handled)
    {
        var log = handled = [];
        var world = new ActorWorld(policy);
        var actor = world.Spawn("a", (message, _) =>
        {
            log.Add(message);
            return message is "poison" ? throw Why : default;
        });
        foreach (string message in (string[])["before", "poison", "after", "last"])
            actor.TrySend(message);
        world.Advance(TimeSpan.FromMinutes(1));
        return world;
    }
}
