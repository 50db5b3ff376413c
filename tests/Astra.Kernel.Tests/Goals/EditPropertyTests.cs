using Astra.Kernel.Tasks;
using Astra.Kernel.Tests.Simulation;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Astra.Kernel.Tests.Goals;

/// <summary>Drawn lists of edits against a graph that knows nothing but names and sets, and against the log.</summary>
public sealed class EditPropertyTests
{
    private const int Size = 7;

    [Fact]
    public void Drawn_edits_do_what_a_naive_graph_says_and_the_log_gives_it_back() => Prop.ForAll<int[]>(draws =>
    {
        var world = World.With();
        var model = Enumerable.Range(0, Size).ToDictionary(i => $"n{i}", _ => new NaiveStep(), StringComparer.Ordinal);
        var goal = world.Submit([.. model.Keys]);
        var added = 0;
        foreach (var draw in draws)
        {
            var bits = (uint)(draw * 2654435761) ^ 0x9E3779B9;
            var trial = model.ToDictionary(step => step.Key, step => step.Value with { After = [.. step.Value.After] }, StringComparer.Ordinal);
            var edits = new List<GraphEdit>();
            var isLegal = true;
            for (var left = bits % 3; left < 3; left++, bits = bits * 747796405 + 2891336453)
                isLegal &= Draw(bits, edits, trial, ref added);
            isLegal &= edits.Select(NameOf).Distinct().Count() == edits.Count && !HasCycle(trial);

            var dryRun = world.Node.Ask(node => node.ValidatePlanAsync(world.Caller, goal, null, edits));
            var answer = world.Edit(goal, [.. edits]);
            Assert.Equal(dryRun.Refusal?.Reason, answer.Refusal?.Reason);
            if (answer.IsOk)
            {
                Assert.True(isLegal, $"{string.Join("; ", edits)} was accepted.");
                model = trial;
            }
            else
                Assert.False(isLegal, $"{string.Join("; ", edits)} was refused: {answer.Refusal!.Reason}");
            AssertIs(world, goal, model);
        }
        world.Node.Restart();
        AssertIs(world, goal, model);
        world.Advance(seconds: 5);
        world.Node.Restart();
        AssertIs(world, goal, model);
    }).QuickCheckThrowOnFailure();

    /// <summary>One more edit, and what the naive graph makes of it. False: it must be refused.</summary>
    private static bool Draw(uint bits, List<GraphEdit> edits, Dictionary<string, NaiveStep> graph, ref int added)
    {
        var names = graph.Keys.Order(StringComparer.Ordinal).ToList();
        var name = names[(int)(bits >> 4) % names.Count];
        List<string> after = [.. names.Where((_, i) => (bits >> (10 + i % 16) & 3) == 3)];
        var edges = after.Select(on => new NamedDependency(on, DependencyKind.Completed)).ToList();
        switch (bits % 7)
        {
            case 0:
                edits.Add(new GraphEdit.Add(new TaskSpec { Name = $"new-{++added}", Executor = Steps.Executor }, edges));
                graph[$"new-{added}"] = new NaiveStep { After = after };
                return true;
            case 1:
                edits.Add(new GraphEdit.Rewire(name, edges));
                graph[name].After = after;
                return true;
            case 2 or 3:
                edits.Add(new GraphEdit.Extend(name, edges));
                graph[name].After = [.. graph[name].After.Union(after)];
                return true;
            case 4:
                edits.Add(new GraphEdit.Remove(name));
                // Whether something waits for it is settled when the whole list is known, so only a lone removal is drawn here.
                if (edits.Count > 1 || graph.Values.Any(step => step.After.Contains(name)))
                    return edits.Count == 1 ? false : Forget(edits);
                graph.Remove(name);
                return true;
            case 5:
                edits.Add(new GraphEdit.Replace(new TaskSpec { Name = name, Executor = $"agent:{bits % 5}" }));
                graph[name].Executor = $"agent:{bits % 5}";
                graph[name].Priority = 0;
                return true;
            default:
                edits.Add(new GraphEdit.Prioritise(name, (int)(bits % 100)));
                graph[name].Priority = (int)(bits % 100);
                return true;
        }
    }

    private static bool Forget(List<GraphEdit> edits)
    {
        edits.RemoveAt(edits.Count - 1);
        return true;
    }

    private static string NameOf(GraphEdit edit) => edit switch
    {
        GraphEdit.Add add => add.Spec.Name,
        GraphEdit.Replace replace => replace.Spec.Name,
        // Where a step stands and what it does are said once each.
        GraphEdit.Rewire rewire => $"the place of {rewire.Name}",
        GraphEdit.Remove remove => remove.Name,
        GraphEdit.Prioritise prioritise => prioritise.Name,
        // A step may be extended more than once, and by the same list that edits it otherwise.
        GraphEdit.Extend => $"extension {Guid.NewGuid()}",
        _ => throw new ArgumentOutOfRangeException(nameof(edit)),
    };

    private static void AssertIs(World world, GoalId goal, Dictionary<string, NaiveStep> model)
    {
        var plan = world.Plan(goal);
        var names = plan.Tasks.ToDictionary(task => task.Id, task => task.Spec.Name);
        Assert.Equal(model.Keys.Order(StringComparer.Ordinal), names.Values.Order(StringComparer.Ordinal));
        foreach (var task in plan.Tasks)
        {
            var step = model[task.Spec.Name];
            Assert.Equal(step.After.Order(StringComparer.Ordinal), task.After.Select(after => names[after.On]).Order(StringComparer.Ordinal));
            Assert.Equal((step.Executor, step.Priority), (task.Spec.Executor, task.Spec.Priority));
            Assert.Equal(step.After.Count == 0 ? TaskState.Ready : TaskState.Pending, task.State);
        }
    }

    private static bool HasCycle(Dictionary<string, NaiveStep> graph) => graph.Keys.Any(start => Reaches(graph, start, start, []));

    private static bool Reaches(Dictionary<string, NaiveStep> graph, string from, string to, HashSet<string> seen) =>
        graph[from].After.Any(next => next == to || (seen.Add(next) && Reaches(graph, next, to, seen)));

    private sealed record NaiveStep
    {
        public List<string> After { get; set; } = [];
        public string Executor { get; set; } = Steps.Executor;
        public int Priority { get; set; }
    }
}
