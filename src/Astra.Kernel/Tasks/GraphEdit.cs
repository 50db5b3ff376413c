namespace Astra.Kernel.Tasks;

/// <summary>One edit of a goal's graph, in terms of task names.</summary>
public abstract record GraphEdit
{
    /// <summary>Who has made an edit that came with the report of a task: this, and the task's name.</summary>
    public const string ByTask = "task ";

    public sealed record Add(TaskSpec Spec, IReadOnlyList<NamedDependency> After) : GraphEdit;

    /// <summary>Gives the task of this name another specification and leaves it its place; refused once it has started.</summary>
    public sealed record Replace(TaskSpec Spec) : GraphEdit;

    /// <summary>Refused once the task has started, or while another task waits for it.</summary>
    public sealed record Remove(string Name) : GraphEdit;

    /// <summary>Replaces what a task waits for; refused once it has started.</summary>
    public sealed record Rewire(string Name, IReadOnlyList<NamedDependency> After) : GraphEdit;

    /// <summary>The task also waits for these; refused once it has started. What it waits for already stays as it is.</summary>
    public sealed record Extend(string Name, IReadOnlyList<NamedDependency> After) : GraphEdit;

    /// <summary>Every task of this kind that has not started also waits for these. There need not be one: whoever adds
    /// tasks while others run need not know which it is.</summary>
    public sealed record ExtendKind(string Kind, IReadOnlyList<NamedDependency> After) : GraphEdit;

    /// <summary>The task waits for these too, even if it runs: then the attempt is over, its report will be late, and the
    /// task is tried anew when they are met.</summary>
    public sealed record Suspend(string Name, IReadOnlyList<NamedDependency> After) : GraphEdit;

    public sealed record Prioritise(string Name, int Priority) : GraphEdit;

    /// <summary>Cancels the task and dooms what can then no longer run.</summary>
    public sealed record Cancel(string Name, string Reason) : GraphEdit;

    /// <summary>Cancels the task and everything that only runs because of it: whatever waits for nothing else.</summary>
    public sealed record CancelSubtree(string Name, string Reason) : GraphEdit;

    /// <summary>Cancels whatever of a group, or of a group within it, has not ended.</summary>
    public sealed record CancelGroup(string Group, string Reason) : GraphEdit;
}

/// <param name="Outcome">For <see cref="DependencyKind.Outcome"/> only.</param>
public readonly record struct NamedDependency(string Name, DependencyKind Kind, string? Outcome = null);
