using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

public sealed class TaskGraphTests
{
    [Fact]
    public void A_step_that_waits_for_itself_is_refused()
    {
        var world = World.With();
        var refusal = world.Node.Refused(node => node.SubmitAsync(world.Caller, World.Request("a after a")));
        Assert.Equal("Step a would wait for itself: these edits make a cycle.", refusal.Reason);
    }

    [Fact]
    public void A_circle_of_steps_is_refused_and_leaves_nothing_behind()
    {
        var world = World.With();
        var goal = world.Submit("a", "b after a", "c after b");
        Assert.Equal(RefusalKind.Invalid, world.Edit(goal, Steps.Rewire("a after c")).Refusal!.Kind);
        world.AssertStates(goal, "a Ready, b Pending, c Pending");
        Assert.Equal(1, world.Goal(goal).Revision);
    }

    [Fact]
    public void A_refused_circle_does_not_make_a_later_edit_be_taken_for_one()
    {
        var world = World.With();
        var goal = world.Submit("a", "b after a", "c", "d after c");
        Assert.False(world.Edit(goal, Steps.Rewire("a after d b")).IsOk);
        Assert.True(world.Edit(goal, Steps.Rewire("c after b")).IsOk);
        Assert.False(world.Edit(goal, Steps.Rewire("a after d")).IsOk);
    }

    [Fact]
    public void Two_steps_may_change_places_in_one_edit()
    {
        var world = World.With();
        var goal = world.Submit("a", "b after a", "c after b");
        Assert.True(world.Edit(goal, Steps.Rewire("c after a"), Steps.Rewire("b after c")).IsOk);
        Assert.Equal([world.Task(goal, "c").Id], world.Task(goal, "b").After.Select(after => after.On));
    }

    [Fact]
    public void A_shard_is_rebuilt_from_edits_that_changed_the_order_of_everything()
    {
        var world = World.With();
        var goal = world.Submit("x", "y after x");
        // Between two of these entries the old edge of y and the new ones of z and x could make a circle.
        Assert.True(world.Edit(goal, Steps.Rewire("x after z"), Steps.Rewire("y"), Steps.Add("z after y")).IsOk);
        world.Node.Restart();
        world.AssertStates(goal, "x Pending, y Ready, z Pending");
    }

    [Fact]
    public void An_edit_is_refused_exactly_when_a_naive_search_finds_a_circle() => Prop.ForAll<int[]>(draws =>
    {
        const int Size = 8;
        var world = World.With();
        var names = Enumerable.Range(0, Size).Select(number => $"n{number}").ToList();
        var goal = world.Submit([.. names]);
        var model = names.ToDictionary(name => name, _ => new List<string>());

        foreach (var draw in draws)
        {
            // One to three steps get new dependencies at once.
            var bits = (uint)(draw * 2654435761);
            var trial = new Dictionary<string, List<string>>(model);
            for (var edit = 0; edit <= bits % 3; edit++, bits = bits * 747796405 + 2891336453)
                trial[names[(int)(bits >> 8) % Size]] = [.. names.Where((_, i) => (bits >> (12 + i) & 1) == 1 && (bits >> (20 + i) & 1) == 1)];
            var edits = trial.Where(pair => !ReferenceEquals(pair.Value, model[pair.Key])).Select(pair => (GraphEdit)new GraphEdit.Rewire(
                pair.Key, [.. pair.Value.Select(name => new NamedDependency(name, DependencyKind.Completed))]));

            var isLegal = !trial.Keys.Any(start => Reaches(trial, start, start, []));
            Assert.Equal(isLegal, world.Edit(goal, [.. edits]).IsOk);
            if (isLegal)
                model = trial;
            AssertShape(world, goal, model);
        }
        world.Node.Restart();
        AssertShape(world, goal, model);
    }).QuickCheckThrowOnFailure();

    private static void AssertShape(World world, GoalId goal, Dictionary<string, List<string>> model)
    {
        var plan = world.Plan(goal);
        var names = plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        foreach (var task in plan.Tasks)
        {
            Assert.Equal(model[task.Spec.Name], task.After.Select(after => names[after.On]));
            Assert.Equal(task.After.Count == 0 ? TaskState.Ready : TaskState.Pending, task.State);
        }
    }

    private static bool Reaches(Dictionary<string, List<string>> model, string from, string to, HashSet<string> seen) =>
        model[from].Any(next => next == to || (seen.Add(next) && Reaches(model, next, to, seen)));
}
