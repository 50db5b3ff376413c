using Astra.Kernel.Actors;
using Xunit;

namespace Astra.Kernel.Tests.Actors;

public sealed class OperatorTests
{
    [Fact]
    public void The_tree_shows_state_mailbox_restarts_and_the_last_failure_of_each_actor()
    {
        var world = new ActorWorld();
        var parent = world.Spawn("parent", Parent(children: 2));
        world.Tell(parent, "spawn");
        world.Tell(parent, new InvalidOperationException("the cache is gone"));
        world.Advance(TimeSpan.FromSeconds(1));
        world.Tell(parent, "spawn");

        var seen = world.System.Operator.Look(new ActorQuery()).Value;
        Assert.Equal("/", seen.Path);
        var found = Assert.Single(seen.Children);
        Assert.Equal(("/parent", ActorState.Running, 1, 3L), (found.Path, found.State, found.RestartCount, found.ProcessedCount));
        Assert.Equal("the cache is gone", found.LastFailure!.Message);
        Assert.Equal(["/parent/child-0", "/parent/child-1"], found.Children.Select(child => child.Path));
        Assert.Equal(default, found.Unlisted);
    }

    [Fact]
    public void Children_beyond_the_limit_are_summed_up_and_those_that_need_attention_are_listed()
    {
        var world = new ActorWorld();
        world.Tell(world.Spawn("parent", Parent(children: 1_000)), "spawn");
        // The message fails the child, and its supervisor's backoff has not ended.
        world.Tell(Child(world, 700), new InvalidOperationException("broken"));
        world.Tell(Child(world, 31), "handled");

        var parent = world.System.Operator.Look(new ActorQuery("/parent", Depth: 1, ChildrenMax: 2)).Value;
        Assert.Equal(["/parent/child-31", "/parent/child-700"], parent.Children.Select(child => child.Path));
        Assert.Equal((1_000, new ActorTotals(998, 0, 0, 0, 0)), (parent.ChildCount, parent.Unlisted));
        Assert.Equal(new ActorTotals(1_000, 1, 0, 2, 0), world.System.Operator.Look(new ActorQuery("/parent", Depth: 0)).Value.Unlisted);
    }

    [Fact]
    public void An_answer_is_bounded_however_much_is_asked_for()
    {
        var world = new ActorWorld();
        for (var family = 0; family < 7; family++)
            world.Tell(world.Spawn($"family-{family}", Parent(children: 1_000)), "spawn");
        var root = world.System.Operator.Look(new ActorQuery("/", Depth: int.MaxValue, ChildrenMax: int.MaxValue)).Value;
        Assert.Equal(ActorQuery.ActorsMax, Listed(root));
        Assert.Equal(1 + (7 * 1_001), Listed(root) + Unlisted(root));

        static int Listed(ActorBranch branch) => 1 + branch.Children.Sum(Listed);
        static long Unlisted(ActorBranch branch) => branch.Unlisted.ActorCount + branch.Children.Sum(Unlisted);
    }

    [Fact]
    public void An_actor_without_a_name_is_found_by_the_path_it_shows()
    {
        var world = new ActorWorld();
        var nameless = world.System.Spawn(ActorWorld.Script("x", (_, _) => default) with { Name = null });
        world.RunUntilQuiet();
        Assert.Equal(nameless.Path, Look(world, nameless.Path).Path);
        Assert.True(world.System.Operator.Stop(nameless.Path, "ada").IsOk);
    }

    [Fact]
    public void A_family_is_counted_to_the_last_even_when_it_is_read_in_pieces()
    {
        var world = new ActorWorld();
        world.Tell(world.Spawn("parent", Parent(children: 10_000)), "spawn");
        Assert.Equal(10_001, world.System.Operator.Count().Totals.ActorCount);
    }

    [Fact]
    public void A_handler_that_awaits_shows_for_how_long()
    {
        var world = new ActorWorld();
        var answer = new TaskCompletionSource();
        var actor = world.Spawn("slow", (_, _) => new ValueTask(answer.Task));
        Assert.Null(Look(world, "/slow").MessageAge);
        world.Tell(actor, "ask");
        world.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(TimeSpan.FromSeconds(7), Look(world, "/slow").MessageAge);
        answer.SetResult();
        world.RunUntilQuiet();
        Assert.Null(Look(world, "/slow").MessageAge);
    }

    [Fact]
    public void A_census_names_the_deepest_mailboxes_and_the_busiest_actors()
    {
        var world = new ActorWorld();
        var never = new TaskCompletionSource();
        var stuck = world.Spawn("stuck", (_, _) => new ValueTask(never.Task));
        var busy = world.Spawn("busy", (_, _) => default);
        world.Spawn("idle", (_, _) => default);
        for (var i = 0; i < 4; i++)
            world.Tell(stuck, i);
        for (var i = 0; i < 9; i++)
            world.Tell(busy, i);
        var census = world.System.Operator.Count(listedMax: 1);
        Assert.Equal((3L, 3, 3L), (census.Totals.ActorCount, census.MailboxDepthMax, census.Totals.MailboxDepth));
        Assert.Equal("/stuck", Assert.Single(census.Deepest).Path);
        Assert.Equal("/busy", Assert.Single(census.Busiest).Path);
    }

    [Fact]
    public void A_restart_makes_a_new_incarnation_and_keeps_the_mailbox()
    {
        var world = new ActorWorld();
        var answer = new TaskCompletionSource();
        var handled = new List<(int Incarnation, object Message)>();
        var why = new List<Exception>();
        var actor = world.Spawn(
            "worker",
            (message, turn) =>
            {
                handled.Add((turn.Incarnation, message));
                return message is "hang" ? new ValueTask(answer.Task) : default;
            },
            restarting: (reason, _, _) =>
            {
                why.Add(reason);
                return default;
            });
        world.Tell(actor, "hang");
        world.Tell(actor, "waits");
        Assert.True(world.System.Operator.Restart("/worker", "ada").IsOk);
        world.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal([(1, (object)"hang"), (2, "waits")], handled);
        Assert.Equal(DeadLetterReason.IncarnationRevoked, Assert.Single(world.System.DeadLetters.Recent()).Reason);
        Assert.Null(Look(world, "/worker").LastFailure);

        Assert.True(world.System.Operator.Restart("/worker", "ada").IsOk);
        world.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal("ada asked for a restart.", Assert.IsType<RestartRequestedException>(Assert.Single(why)).Message);
        Assert.Equal(2, Look(world, "/worker").RestartCount);
    }

    [Fact]
    public void A_restart_takes_along_who_relies_on_it_and_no_failure_is_counted()
    {
        var policy = new SupervisionPolicy(RestartStrategy.RestForOne, intensity: new RestartIntensity(1, TimeSpan.FromHours(1)));
        var world = new ActorWorld(topLevel: policy);
        foreach (var name in new[] { "first", "second", "third" })
            world.Spawn(name, (_, _) => default);
        for (var i = 0; i < 5; i++)
        {
            Assert.True(world.System.Operator.Restart("/second", "ada").IsOk);
            world.Advance(TimeSpan.FromMilliseconds(1));
        }
        Assert.Equal([0, 5, 5], Restarts(world));
        Assert.True(world.System.Operator.Restart("/", "ada").IsOk);
        world.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal([1, 6, 6], Restarts(world));
        Assert.DoesNotContain(world.Events, happened => happened is ActorFailed or NodeFailed);

        static IEnumerable<int> Restarts(ActorWorld world) => world.System.Operator.Look(new ActorQuery()).Value.Children.Select(child => child.RestartCount);
    }

    [Fact]
    public void A_stopped_actor_is_gone_and_what_waited_is_a_dead_letter()
    {
        var world = new ActorWorld();
        var answer = new TaskCompletionSource();
        var actor = world.Spawn("worker", (_, _) => new ValueTask(answer.Task));
        world.Tell(actor, "current");
        world.Tell(actor, "waits");
        Assert.True(world.System.Operator.Stop("/worker", "ada").IsOk);
        world.RunUntilQuiet();
        Assert.Equal(RefusalKind.Conflict, world.System.Operator.Stop("/worker", "ada").Refusal!.Kind);
        Assert.Equal(RefusalKind.Conflict, world.System.Operator.Restart("/worker", "ada").Refusal!.Kind);
        answer.SetResult();
        world.RunUntilQuiet();
        Assert.Equal("waits", Assert.Single(world.System.DeadLetters.Recent()).Message);
        Assert.Equal(RefusalKind.NotFound, world.System.Operator.Look(new ActorQuery("/worker")).Refusal!.Kind);
    }

    [Theory]
    [InlineData("/nobody", RefusalKind.NotFound)]
    [InlineData("/kept/nobody", RefusalKind.NotFound)]
    [InlineData("kept", RefusalKind.NotFound)]
    [InlineData("", RefusalKind.NotFound)]
    [InlineData("/", RefusalKind.Conflict)]
    [InlineData("/kept", RefusalKind.Conflict)]
    public void What_must_not_be_stopped_is_refused_with_the_reason(string path, RefusalKind kind)
    {
        var world = new ActorWorld();
        world.System.Spawn(ActorWorld.Script("kept", (_, _) => default) with { StopRefusal = "everything hangs on it." });
        world.RunUntilQuiet();
        var refusal = world.System.Operator.Stop(path, "ada").Refusal!;
        Assert.Equal(kind, refusal.Kind);
        if (path == "/kept")
            Assert.Equal("/kept cannot be stopped: everything hangs on it.", refusal.Reason);
        Assert.Equal(path == "/kept" || path == "/", world.System.Operator.Restart(path, "ada").IsOk);
    }

    private static ActorBranch Look(ActorWorld world, string path) => world.System.Operator.Look(new ActorQuery(path)).Value;

    private static ActorRef Child(ActorWorld world, int number) => Families.Of(world)[number];

    private static Func<object, ActorTurn, ValueTask> Parent(int children) => (message, turn) =>
    {
        if (message is Exception failure)
            throw failure;
        for (var i = 0; i < children; i++)
            Families.Add(turn, turn.Spawn(ActorWorld.Script($"child-{i}", (received, _) => received is Exception thrown ? throw thrown : default)));
        return default;
    };

    /// <summary>The children of each system's parent, as they were spawned.</summary>
    private static class Families
    {
        private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<IClock, List<ActorRef>> All = [];

        public static void Add(ActorTurn turn, ActorRef child) => All.GetOrCreateValue(turn.Clock).Add(child);

        public static List<ActorRef> Of(ActorWorld world) => All.GetOrCreateValue(world.Node.Clock);
    }
}
