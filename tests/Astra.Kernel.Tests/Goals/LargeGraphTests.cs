using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>What an edit costs in a large graph is counted in tasks looked at, not in seconds: the one is the same on
/// every machine.</summary>
public sealed class LargeGraphTests
{
    private const int Size = 100_000;

    private readonly World _world = World.With();

    [Fact]
    public void A_plan_of_100000_steps_in_one_chain_costs_one_look_at_each_edge_in_whichever_order_it_is_written()
    {
        foreach (var order in new[] { Enumerable.Range(0, Size), Enumerable.Range(0, Size).Reverse() })
        {
            var before = Visits;
            Submit([.. order.Select(i => i == 0 ? "n0" : $"n{i} after n{i - 1}")]);
            Assert.InRange(Visits - before, Size, 3 * Size);
        }
    }

    [Fact]
    public void An_edit_of_a_graph_of_100000_tasks_looks_at_what_it_affects_only()
    {
        // A thousand chains of a hundred, and a step that waits for the last of each.
        var steps = Enumerable.Range(0, 1_000).SelectMany(chain => Enumerable.Range(0, Size / 1_000 - 1)
            .Select(i => i == 0 ? $"c{chain}-0" : $"c{chain}-{i} after c{chain}-{i - 1}"));
        var goal = Submit([.. steps, $"end after {string.Join(' ', Enumerable.Range(0, 1_000).Select(chain => $"c{chain}-98"))}"]);

        Assert.InRange(CostOf(goal, Steps.Add("new after c500-50")), 0, 10);
        Assert.InRange(CostOf(goal, Steps.Add("first"), new GraphEdit.Extend("end", Steps.After("after first"))), 0, 100);
        // One chain behind another: only these two are rearranged.
        Assert.InRange(CostOf(goal, new GraphEdit.Extend("c3-0", Steps.After("after c900-97"))), 0, 1_000);
        Assert.InRange(CostOf(goal, new GraphEdit.Prioritise("c7-7", 5), new GraphEdit.CancelSubtree("c8-8", "not this one")), 0, 0);

        var before = Visits;
        Assert.Equal(RefusalKind.Invalid, _world.Edit(goal, new GraphEdit.Extend("c10-0", Steps.After("after c10-98"))).Refusal!.Kind);
        Assert.InRange(Visits - before, 0, 1_000);
    }

    [Fact]
    public void A_join_of_a_thousand_parts_is_extended_at_the_cost_of_the_parts()
    {
        var worker = _world.Worker();
        var goal = Submit(["split", "join after split", "tell after join", .. Enumerable.Range(0, 5_000).Select(i => $"other-{i}")]);
        var before = Visits;
        var parts = Enumerable.Range(0, 1_000).ToList();
        Assert.True(worker.Complete("split", [
            .. parts.Select(i => Steps.Add($"part-{i} after split")),
            new GraphEdit.Extend("join", [.. parts.Select(i => new NamedDependency($"part-{i}", DependencyKind.Completed))])]).IsOk);
        Assert.InRange(Visits - before, 1_000, 5_000);
        Assert.Equal(1_001, _world.Task(goal, "join").After.Count);
    }

    [Fact]
    public void An_edit_that_asks_for_no_plan_allocates_no_more_in_a_large_graph_than_in_a_small_one()
    {
        // The least of a few: a table of the graph that grows now and then is no part of it.
        var small = LeastOf(Submit([.. Enumerable.Range(0, 10).Select(i => $"n{i}")]));
        var large = LeastOf(Submit([.. Enumerable.Range(0, Size).Select(i => $"n{i}")]));
        Assert.InRange(large, 0, 3 * small);

        long LeastOf(GoalId goal) => Enumerable.Range(0, 5).Min(i =>
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.True(_world.Node.Ask(node => node.AmendPlanAsync(_world.Caller, goal, null, [Steps.Add($"more-{i} after n9")], null)).IsOk);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        });
    }

    private long Visits => _world.Node.Do(node => node.SummariseAsync()).GraphVisits;

    private GoalId Submit(string[] steps) => _world.Submit(steps);

    private long CostOf(GoalId goal, params GraphEdit[] edits)
    {
        var before = Visits;
        Assert.Null(_world.Edit(goal, edits).Refusal);
        return Visits - before;
    }
}
