namespace Astra.Kernel.Tasks;

/// <summary>The numbers are on disk and never change; see FrozenNumbersTests.</summary>
public enum GoalState : byte
{
    Active = 1,
    Completed = 2,
    Failed = 3,
    Cancelled = 4,
}

/// <summary>What becomes of the tasks that waited for one that died. On disk; see FrozenNumbersTests.</summary>
public enum DeadTaskPolicy : byte
{
    /// <summary>They are cancelled at once, and the goal fails when nothing is left to do.</summary>
    Doom = 1,

    /// <summary>They wait for a redrive, and the goal stays active.</summary>
    Wait = 2,

    /// <summary>They are left out, and the goal completes with what did complete; it fails only if nothing of its last
    /// tasks did.</summary>
    Skip = 3,
}

/// <summary>On disk; see FrozenNumbersTests.</summary>
public enum FailureKind : byte
{
    /// <summary>Another attempt may do better.</summary>
    Transient = 1,

    /// <summary>No attempt would do better.</summary>
    Permanent = 2,

    /// <summary>It took its worker down with it, again and again.</summary>
    Poison = 3,

    /// <summary>It may have acted on the outside world, and nobody knows.</summary>
    UnknownEffect = 4,
}

/// <param name="Fingerprint">The same for failures with the same cause: what dead letters are grouped by.</param>
public sealed record Failure(FailureKind Kind, string Reason, string Fingerprint);
