using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

/// <summary>Every strategy with every directive, and what a restart does when it fails itself.</summary>
public class DirectiveTests
{
    private static readonly Backoff Steady = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), Jitter: 0);
    private static readonly Exception Why = new InvalidOperationException("ordinary");

    public static TheoryData<RestartStrategy, Directive, string> Outcomes => new()
    {
        // What is left of the children a, b and c, with the number of their incarnation, after b has failed.
        { RestartStrategy.OneForOne, Directive.Resume, "a1 b1 c1" },
        { RestartStrategy.OneForOne, Directive.Restart, "a1 b2 c1" },
        { RestartStrategy.OneForOne, Directive.Stop, "a1 c1" },
        { RestartStrategy.OneForOne, Directive.Escalate, "a1 b1 c1 again" },
        { RestartStrategy.OneForAll, Directive.Resume, "a1 b1 c1" },
        { RestartStrategy.OneForAll, Directive.Restart, "a2 b2 c2" },
        { RestartStrategy.OneForAll, Directive.Stop, "a1 c1" },
        { RestartStrategy.OneForAll, Directive.Escalate, "a1 b1 c1 again" },
        { RestartStrategy.RestForOne, Directive.Resume, "a1 b1 c1" },
        { RestartStrategy.RestForOne, Directive.Restart, "a1 b2 c2" },
        { RestartStrategy.RestForOne, Directive.Stop, "a1 c1" },
        { RestartStrategy.RestForOne, Directive.Escalate, "a1 b1 c1 again" },
    };

    [Theory]
    [MemberData(nameof(Outcomes))]
    public void Each_strategy_does_with_each_directive_what_it_says(RestartStrategy strategy, Directive directive, string left)
    {
        var world = new ActorWorld(new SupervisionPolicy(decide: _ => Directive.Restart, backoff: Steady));
        var children = new Dictionary<string, ActorRef>();
        world.Spawn("s", (_, _) => default, started: turn =>
        {
            foreach (string name in (string[])["a", "b", "c"])
                children[name] = turn.Spawn(ActorWorld.Script(name, (_, _) => throw Why));
            return default;
        }, children: new SupervisionPolicy(strategy, _ => directive, Steady));
        world.Tell(children["b"], "fail");
        world.Advance(TimeSpan.FromSeconds(1));

        var supervisor = world.Find("/s")!;
        string seen = string.Join(' ', supervisor.Children.Select(child => $"{child.Path[^1]}{child.RestartCount + 1}"));
        Assert.Equal(left, seen + (supervisor.RestartCount > 0 ? " again" : ""));
        Assert.All(supervisor.Children, child => Assert.Equal(ActorState.Running, child.State));
    }

    [Fact]
    public void A_restart_that_fails_goes_back_through_the_mailbox_and_a_stop_overtakes_the_next()
    {
        var world = new ActorWorld(new SupervisionPolicy(backoff: Steady));
        int starts = 0;
        ActorRef actor = null!;
        actor = world.Spawn("a", (_, _) => throw Why, started: _ =>
        {
            if (++starts == 1)
                return default;
            // Told while the restart is failing: it comes before the next try.
            world.System.Stop(actor);
            throw Why;
        });
        world.Tell(actor, "fail");
        world.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, starts);
        Assert.Null(world.Find("/a"));
    }

    [Theory]
    [InlineData("factory")]
    [InlineData("farewell")]
    public void A_failure_in_any_part_of_a_restart_is_only_another_failure(string part)
    {
        var world = new ActorWorld(new SupervisionPolicy(backoff: Steady));
        int made = 0, farewells = 0;
        var actor = world.System.Spawn(new ActorOptions
        {
            Name = "a",
            Create = () => ++made == 2 && part == "factory"
                ? throw Why
                : new ScriptedActor((_, _) => throw Why, started: null, restarting: (_, _, _) =>
                    ++farewells == 1 && part == "farewell" ? throw Why : default, stopped: null),
        });
        world.Tell(actor, "fail");
        world.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(ActorState.Running, world.Find("/a")!.State);
        Assert.Equal(2, world.Events.OfType<ActorFailed>().Count());
    }

    [Fact]
    public void The_window_of_the_restart_intensity_is_measured_on_the_monotonic_clock()
    {
        var world = new ActorWorld(new SupervisionPolicy(
            backoff: Steady, intensity: new RestartIntensity(2, TimeSpan.FromMinutes(1))));
        var actor = world.Spawn("a", (_, _) => throw Why);
        for (int i = 0; i < 3; i++)
        {
            world.Tell(actor, "fail");
            world.Advance(TimeSpan.FromSeconds(2));
            // Somebody sets the machine's clock, by more than the window, this way and that.
            world.Node.Clock.ShiftCalendar(TimeSpan.FromHours(i % 2 == 0 ? 2 : -5));
        }

        Assert.IsType<RestartIntensityException>(Assert.Single(world.Events.OfType<NodeFailed>()).Why);
    }

    [Fact]
    public void A_policy_that_answers_with_no_directive_escalates_with_the_reason()
    {
        var world = new ActorWorld(new SupervisionPolicy(decide: _ => (Directive)77));
        var actor = world.Spawn("a", (_, _) => throw Why);
        world.Tell(actor, "fail");
        var failed = Assert.Single(world.Events.OfType<NodeFailed>());
        Assert.IsType<InvalidPolicyException>(Assert.IsType<AggregateException>(failed.Why).InnerExceptions[0]);
    }

    [Fact]
    public void A_crowd_that_fails_at_once_does_not_come_back_at_once()
    {
        var world = new ActorWorld();
        var startedAt = new List<TimeSpan>();
        var actors = Enumerable.Range(0, 50).Select(i => world.Spawn($"a{i}", (_, _) => throw Why, started: turn =>
        {
            if (turn.Incarnation == 2)
                startedAt.Add(turn.Clock.Elapsed);
            return default;
        })).ToList();
        actors.ForEach(actor => actor.TrySend("fail"));
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(50, startedAt.Count);
        Assert.True(startedAt.Distinct().Count() > 40);
        Assert.All(startedAt, at => Assert.InRange(at.TotalMilliseconds, 80, 100));
    }

    [Fact]
    public void One_agents_whole_subtree_is_torn_down_and_rebuilt_while_its_neighbour_goes_on()
    {
        var world = new ActorWorld();
        int handled = 0, alive = 0, farewells = 0;
        ActorOptions Branch(string name, int depth) => ActorWorld.Script(name, (_, _) => throw Why, started: turn =>
        {
            alive++;
            for (int i = 0; i < 5 && depth > 0; i++)
                turn.Spawn(Branch($"{i}", depth - 1));
            return default;
        }, stopped: _ =>
        {
            farewells++;
            return default;
        });
        var agent = world.System.Spawn(Branch("agent", 3));
        var neighbour = world.Spawn("neighbour", (_, _) =>
        {
            handled++;
            return default;
        });
        const int subtree = 1 + 5 + 25 + 125;
        Assert.Equal(subtree, alive);
        world.Tell(agent, "fail");
        Assert.Equal(SendResult.Ok, world.Tell(neighbour, "work"));
        Assert.Equal((1, subtree - 1), (handled, farewells));
        Assert.Empty(world.Find("/agent")!.Children);
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2 * subtree, alive);
        Assert.Equal(0, world.Find("/neighbour")!.RestartCount);
    }
}
