namespace Astra.Kernel.Tasks;

/// <summary>When a dependency counts as met. On disk; see FrozenNumbersTests.</summary>
public enum DependencyKind : byte
{
    /// <summary>The other task completed.</summary>
    Completed = 1,

    /// <summary>The other task ended, whichever way.</summary>
    Ended = 2,

    /// <summary>The other task completed with the outcome that the dependency names.</summary>
    Outcome = 3,

    /// <summary>The other task completed or was skipped: what branches that were not taken lead back into.</summary>
    Passed = 4,
}

/// <param name="Outcome">What the other task has to say of itself, for <see cref="DependencyKind.Outcome"/> only.</param>
public readonly record struct Dependency(TaskId On, DependencyKind Kind, string? Outcome = null);

/// <summary>What a dependency makes of the task that waits.</summary>
public enum DependencyVerdict : byte
{
    /// <summary>It may still be met.</summary>
    Open,
    Met,

    /// <summary>It will not be met, and that is no failure: another way was taken.</summary>
    Skip,

    /// <summary>It will not be met, because something failed or was cancelled.</summary>
    Doom,
}

/// <summary>The law of dependencies, for tasks in memory and for rows alike.</summary>
public static class DependencyRules
{
    /// <param name="outcome">With which the other task completed, if it said one.</param>
    public static DependencyVerdict Judge(DependencyKind kind, string? wanted, TaskState state, string? outcome, bool isSkipped, DeadTaskPolicy policy) => (kind, state) switch
    {
        (DependencyKind.Ended, _) => state.IsFinal() ? DependencyVerdict.Met : DependencyVerdict.Open,
        (DependencyKind.Outcome, TaskState.Completed) => outcome == wanted ? DependencyVerdict.Met : DependencyVerdict.Skip,
        (_, TaskState.Completed) => DependencyVerdict.Met,
        (DependencyKind.Passed, TaskState.Cancelled) when isSkipped => DependencyVerdict.Met,
        (_, TaskState.Cancelled) => isSkipped ? DependencyVerdict.Skip : DependencyVerdict.Doom,
        (_, TaskState.Dead) => policy switch
        {
            DeadTaskPolicy.Doom => DependencyVerdict.Doom,
            DeadTaskPolicy.Skip => DependencyVerdict.Skip,
            _ => Mutants.WaitPolicyDooms ? DependencyVerdict.Doom : DependencyVerdict.Open,
        },
        _ => DependencyVerdict.Open,
    };

    public static DependencyVerdict Judge(this TaskRow on, Dependency dependency, DeadTaskPolicy policy) =>
        Judge(dependency.Kind, dependency.Outcome, on.State, on.Spec.Extras.Outcome, on.Spec.Extras.IsSkipped, policy);
}
