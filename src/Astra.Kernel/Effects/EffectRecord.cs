using Astra.Kernel.Tasks;

namespace Astra.Kernel.Effects;

/// <summary>What became of a task's effect on the outside world, as far as the log knows. On disk; see FrozenNumbersTests.</summary>
public enum EffectState : byte
{
    /// <summary>An attempt has said that it begins, and not yet how it went.</summary>
    Intended = 1,

    /// <summary>It took place. No attempt makes it again.</summary>
    Sent = 2,

    /// <summary>It did not take place. The next attempt may make it.</summary>
    NotSent = 3,

    /// <summary>The attempt was lost in between. Only a person finds out, and the task waits for one.</summary>
    Unknown = 4,
}

/// <summary>Which attempts name the effect to the outside world by the same key. On disk; see FrozenNumbersTests.</summary>
public enum EffectKeys : byte
{
    /// <summary>All of them: whoever receives it twice can tell.</summary>
    PerTask = 1,

    /// <summary>Each has its own: for receivers that refuse a key they have seen, whatever became of it.</summary>
    PerAttempt = 2,
}

/// <summary>The ledger's page for one task: a task has at most one effect on the outside world.</summary>
/// <param name="Attempt">The one that said so last.</param>
/// <param name="What">One line for the person who may have to find out.</param>
/// <param name="Output">What came of it, when it was sent.</param>
/// <param name="By">The person who settled it; null when the worker did.</param>
public sealed record EffectRecord(int Attempt, EffectState State, string What, DateTimeOffset At, ReadOnlyMemory<byte> Output, string? By)
{
    /// <summary>What the attempt hands to the outside world, so that the same effect made twice can be recognised.</summary>
    public static string KeyOf(TaskId task, int attempt, EffectKeys keys) => keys == EffectKeys.PerAttempt ? $"{task.Value:N}-{attempt}" : $"{task.Value:N}";
}
