using Astra.Kernel.Tasks;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>Plans as short texts: <c>"c after a b"</c> waits until both have completed, <c>"d after c ended e"</c> also until
/// e has ended in whichever way.</summary>
internal static class Steps
{
    public const string Executor = "agent:test";

    public static IReadOnlyList<GraphEdit> Of(params string[] steps) => [.. steps.Select(step => (GraphEdit)Add(step))];

    public static GraphEdit.Add Add(string step) => Add(step, spec => spec);

    public static GraphEdit.Add Add(string step, Func<TaskSpec, TaskSpec> with)
    {
        var (name, after) = Parse(step);
        return new GraphEdit.Add(with(new TaskSpec { Name = name, Executor = Executor }), after);
    }

    public static GraphEdit.Rewire Rewire(string step)
    {
        var (name, after) = Parse(step);
        return new GraphEdit.Rewire(name, after);
    }

    private static (string Name, List<NamedDependency> After) Parse(string step)
    {
        var words = step.Split(' ');
        var (kind, after) = (DependencyKind.Completed, new List<NamedDependency>());
        foreach (var word in words.Skip(1))
        {
            if (word is "after" or "ended")
                kind = word == "after" ? DependencyKind.Completed : DependencyKind.Ended;
            else
                after.Add(new NamedDependency(word, kind));
        }
        return (words[0], after);
    }
}
