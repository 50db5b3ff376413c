using Astra.Kernel.Tasks;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>Plans as short texts: <c>"c after a b"</c> waits until both have completed, <c>"d after c ended e"</c> also until
/// e has ended in whichever way, <c>"f passed d"</c> until d has completed or was skipped, and <c>"g when a=yes"</c> until a
/// has completed with the outcome yes.</summary>
internal static class Steps
{
    public const string Executor = "agent:test";

    private static readonly Dictionary<string, DependencyKind> Kinds = new(StringComparer.Ordinal)
    {
        ["after"] = DependencyKind.Completed, ["ended"] = DependencyKind.Ended, ["passed"] = DependencyKind.Passed, ["when"] = DependencyKind.Outcome,
    };

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

    /// <summary>What a step waits for, as in "after a b".</summary>
    public static IReadOnlyList<NamedDependency> After(string words) => Parse($"x {words}").After;

    private static (string Name, List<NamedDependency> After) Parse(string step)
    {
        var words = step.Split(' ');
        var (kind, after) = (DependencyKind.Completed, new List<NamedDependency>());
        foreach (var word in words.Skip(1))
        {
            if (Kinds.TryGetValue(word, out var next))
                kind = next;
            else
                after.Add(kind == DependencyKind.Outcome ? new NamedDependency(word.Split('=')[0], kind, word.Split('=')[1]) : new NamedDependency(word, kind));
        }
        return (words[0], after);
    }
}
