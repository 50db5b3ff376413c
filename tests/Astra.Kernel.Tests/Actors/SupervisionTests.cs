using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public class SupervisionTests
{
    private static readonly Backoff Steady = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), Jitter: 0);
    private readonly List<string> _log = [];

    private sealed record Crash(string Child, Exception Why);

    private static readonly Exception Ordinary = new InvalidOperationException("ordinary");
    private static readonly Exception Structural = new StructuralFailureException("the database is gone");

    /// <summary>
    /// A supervisor "s" with children a, b and c, each of which logs its life and crashes when told to.
    /// </summary>
    private ActorWorld World(SupervisionPolicy policy, SupervisionPolicy? topLevel = null, ulong? seed = null)
    {
        var world = new ActorWorld(topLevel, seed: seed);
        var children = new Dictionary<string, ActorRef>();
        world.Spawn("s", (message, turn) =>
        {
            if (message is Crash crash)
                children[crash.Child].TrySend(crash.Why, turn.Self);
            return default;
        },
            started: turn =>
            {
                _log.Add($"s{turn.Incarnation}");
                foreach (string name in (string[])["a", "b", "c"])
                    children[name] = turn.Spawn(Child(name));
                return default;
            },
            stopped: _ => Log("s stopped"),
            children: policy);
        _log.Clear();
        return world;
    }

    private ActorOptions Child(string name) => ActorWorld.Script(name,
        (message, turn) => message is Exception why ? throw why : Log($"{name}{turn.Incarnation} {message}"),
        started: turn => Log($"{name}{turn.Incarnation}"),
        restarting: (_, _, _) => Log($"{name} restarting"),
        stopped: _ => Log($"{name} stopped"));

    private ValueTask Log(string line)
    {
        _log.Add(line);
        return default;
    }

    private static void Fail(ActorWorld world, string child, Exception why)
    {
        world.Tell(Supervisor(world), new Crash(child, why));
    }

    private static ActorRef Supervisor(ActorWorld world) =>
        world.Events.OfType<ActorStarted>().First(started => started.Actor.Path == "/s").Actor;

    [Fact]
    public void One_for_one_restarts_only_the_child_that_failed()
    {
        var world = World(new SupervisionPolicy(backoff: Steady, intensity: new(5, TimeSpan.FromMinutes(1))));
        Fail(world, "b", Ordinary);
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["b restarting", "b2"], _log);
    }

    [Fact]
    public void One_for_all_halts_every_child_before_it_starts_them_again_in_order()
    {
        var world = World(new SupervisionPolicy(RestartStrategy.OneForAll, backoff: Steady));
        Fail(world, "b", Ordinary);
        Assert.Equal(["a restarting", "b restarting", "c restarting"], _log.Order());
        _log.Clear();
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a2", "b2", "c2"], _log);
    }

    [Fact]
    public void Rest_for_one_restarts_the_child_and_those_spawned_after_it()
    {
        var world = World(new SupervisionPolicy(RestartStrategy.RestForOne, backoff: Steady));
        Fail(world, "b", Ordinary);
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["b restarting", "c restarting"], _log[..2].Order());
        Assert.Equal(["b2", "c2"], _log[2..]);
    }

    [Fact]
    public void A_second_failure_widens_a_group_that_is_still_halted()
    {
        var world = World(new SupervisionPolicy(RestartStrategy.RestForOne, backoff: Steady));
        Fail(world, "c", Ordinary);
        world.Advance(TimeSpan.FromMilliseconds(500));
        Fail(world, "a", Ordinary);
        world.Advance(TimeSpan.FromMilliseconds(999));
        Assert.DoesNotContain("c2", _log);
        world.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(["a2", "b2", "c2"], _log[^3..]);
        world.Advance(TimeSpan.FromMinutes(1));
        Assert.DoesNotContain("c3", _log);
    }

    [Fact]
    public void Resume_skips_the_message_and_keeps_the_state()
    {
        var world = World(new SupervisionPolicy(decide: _ => Directive.Resume));
        Fail(world, "a", Ordinary);
        Assert.Empty(_log);
        Assert.Equal(ActorState.Running, world.Find("/s/a")!.State);
        Assert.Equal(0, world.Find("/s/a")!.RestartCount);
        Assert.Equal(DeadLetterReason.HandlerFailed, Assert.Single(world.System.DeadLetters.Recent()).Reason);
    }

    [Fact]
    public void Stop_ends_the_child_and_leaves_its_siblings_alone()
    {
        var world = World(new SupervisionPolicy(decide: _ => Directive.Stop));
        Fail(world, "b", Ordinary);
        Assert.Equal(["b stopped"], _log);
        Assert.Null(world.Find("/s/b"));
        Assert.NotNull(world.Find("/s/a"));
    }

    [Fact]
    public void A_structural_failure_escalates_and_the_whole_branch_is_rebuilt()
    {
        var world = World(SupervisionPolicy.Default);
        Fail(world, "b", Structural);
        world.Advance(TimeSpan.FromMinutes(1));
        // The top level's policy escalates a structural failure too, and there is nobody above it.
        Assert.Null(world.Find("/s"));
        Assert.Same(Structural, Assert.Single(world.Events.OfType<NodeFailed>()).Why);
        Assert.Equal("s stopped", _log[^1]);
    }

    [Fact]
    public void An_escalated_failure_restarts_the_supervisor_with_all_its_children()
    {
        var world = World(
            SupervisionPolicy.Default, new SupervisionPolicy(decide: _ => Directive.Restart, backoff: Steady));
        Fail(world, "b", Structural);
        Assert.Equal(["a stopped", "b stopped", "c stopped"], _log.Order());
        _log.Clear();
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["s2", "a1", "b1", "c1"], _log);
    }

    [Fact]
    public void A_supervisor_that_is_forgiven_forgives_the_child_whose_failure_it_passed_on()
    {
        var world = World(SupervisionPolicy.Default, new SupervisionPolicy(decide: _ => Directive.Resume));
        Fail(world, "b", Structural);
        Assert.Empty(_log);
        Assert.Equal(ActorState.Running, world.Find("/s")!.State);
        Assert.Equal(ActorState.Running, world.Find("/s/b")!.State);
    }

    [Fact]
    public void Failures_beyond_the_restart_intensity_escalate_level_by_level()
    {
        var twice = new RestartIntensity(2, TimeSpan.FromMinutes(1));
        var policy = new SupervisionPolicy(backoff: Steady, intensity: twice);
        var world = new ActorWorld(policy);
        int starts = 0;
        world.Spawn("top", (_, _) => default,
            started: turn =>
            {
                turn.Spawn(ActorWorld.Script("leaf", (_, _) => default, started: _ =>
                {
                    starts++;
                    throw new InvalidOperationException("cannot start");
                }));
                return default;
            },
            children: policy);
        world.Advance(TimeSpan.FromMinutes(1));

        // Three starts of the leaf for each of the three lives of its supervisor, then the root gives up.
        Assert.Equal(9, starts);
        var failed = Assert.Single(world.Events.OfType<NodeFailed>());
        Assert.Equal("/top", failed.Actor.Path);
        Assert.IsType<RestartIntensityException>(failed.Why);
        Assert.Null(world.Find("/top"));
    }

    [Fact]
    public void Each_restart_of_a_child_that_cannot_start_waits_twice_as_long()
    {
        var delays = new SupervisionPolicy(
            backoff: Backoff.Default with { Jitter = 0 }, intensity: new RestartIntensity(5, TimeSpan.FromMinutes(1)));
        var world = new ActorWorld(delays);
        var startedAt = new List<double>();
        world.Spawn("a", (_, _) => default, started: turn =>
        {
            startedAt.Add(turn.Clock.Elapsed.TotalSeconds);
            throw Ordinary;
        });
        world.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal([0, 0.1, 0.3, 0.7, 1.5, 3.1], startedAt);
    }

    [Fact]
    public void Failures_that_are_rare_enough_never_escalate()
    {
        var world = new ActorWorld(new SupervisionPolicy(intensity: new RestartIntensity(1, TimeSpan.FromSeconds(10))));
        var actor = world.Spawn("a", (_, _) => throw Ordinary);
        for (int i = 0; i < 50; i++)
        {
            world.Tell(actor, "fail");
            world.Advance(TimeSpan.FromSeconds(11));
        }

        Assert.Equal(50, world.Find("/a")!.RestartCount);
        Assert.Empty(world.Events.OfType<NodeFailed>());
    }

    [Fact]
    public void Independent_children_do_not_use_up_each_others_restarts()
    {
        var world = World(
            new SupervisionPolicy(backoff: Steady, intensity: new RestartIntensity(1, TimeSpan.FromSeconds(5))));
        foreach (string child in (string[])["a", "b", "c"])
            Fail(world, child, Ordinary);
        world.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(["a2", "b2", "c2"], _log.Where(line => line.EndsWith('2')).Order());
    }

    [Fact]
    public void A_stop_overtakes_a_restart_that_waits_for_its_backoff()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", (_, _) => throw Ordinary, started: turn => Log($"a{turn.Incarnation}"));
        world.Tell(actor, "fail");
        world.System.Stop(actor);
        world.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(["a1"], _log);
        Assert.Equal(SendResult.Stopped, actor.TrySend("hello"));
    }

    [Fact]
    public void A_policy_that_throws_escalates_with_both_failures()
    {
        var broken = new NotSupportedException("broken policy");
        var world = new ActorWorld(new SupervisionPolicy(decide: _ => throw broken));
        var actor = world.Spawn("a", (_, _) => throw Ordinary);
        world.Tell(actor, "fail");
        var why = Assert.IsType<AggregateException>(Assert.Single(world.Events.OfType<NodeFailed>()).Why);
        Assert.Equal([broken, Ordinary], why.InnerExceptions);
    }

    [Fact]
    public void The_last_failure_is_on_view_and_survives_the_restart()
    {
        var world = new ActorWorld();
        var actor = world.Spawn("a", (message, _) => message is Exception why ? throw why : default);
        world.Tell(actor, Ordinary);
        Assert.Equal(ActorState.Halted, world.Find("/a")!.State);
        world.Advance(TimeSpan.FromSeconds(1));
        var seen = world.Find("/a")!;
        Assert.Equal((ActorState.Running, 1, Ordinary), (seen.State, seen.RestartCount, seen.LastFailure));
    }

    [Fact]
    public void The_same_seed_gives_the_same_run()
    {
        (List<string>, long) Run(ulong seed)
        {
            _log.Clear();
            var world = World(new SupervisionPolicy(RestartStrategy.OneForAll), seed: seed);
            Fail(world, "b", Ordinary);
            world.Advance(TimeSpan.FromMinutes(1));
            return ([.. _log], world.Node.World.StepCount);
        }

        Assert.Equivalent(Run(42), Run(42), strict: true);
    }
}
