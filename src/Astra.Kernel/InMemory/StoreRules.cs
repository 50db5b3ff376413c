using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.InMemory;

/// <summary>What a store refuses, in C#: the same sentences stand as constraints in PostgreSQL, and the contract tests
/// hold both to them.</summary>
internal static class StoreRules
{
    private static readonly HashSet<(TaskState, TaskCommand, TaskState)> Moves = [.. TaskTransitions.Moves];

    public static bool Allows(JournalEntry entry) =>
        entry.Attempt >= 0 && (entry.From, entry.Command, entry.To) switch
        {
            (null, null, null) => true,
            (null, null, TaskState.Pending or TaskState.Ready) => entry.Kind == EventKind.TaskAdded && entry.Task is not null,
            ({ } from, { } command, { } to) => entry.Task is not null && Moves.Contains((from, command, to)),
            _ => false,
        };

    /// <summary>Why the tables refuse a goal, or null.</summary>
    public static string? Refusal(GoalRow goal) =>
        goal.State == GoalState.Active != goal.EndedAt is null ? "goal_ended_iff_final"
        : IsText(goal.Agent) && IsText(goal.Title) && IsText(goal.Reason) && IsText(goal.IdempotencyKey) && IsText(goal.SubmittedBy) ? null
        : "text_is_text";

    /// <summary>Why the tables refuse a task, or null.</summary>
    public static string? Refusal(TaskRow task) =>
        task.State.IsFinal() == task.EndedAt is null ? "task_ended_iff_final"
        : task.State == TaskState.Running && task.Worker is null ? "running_has_worker"
        : task.State == TaskState.Dead && task.Failure is null ? "dead_has_failure"
        : task.Attempt < 0 || task.FailureCount < 0 || task.ExpiryCount < 0 ? "counts_not_negative"
        : IsText(task.Spec.Name) && IsText(task.Spec.Executor) && IsText(task.Spec.Kind) && IsText(task.WorkerName) && IsText(task.Reason)
            && IsText(task.Failure?.Reason) && IsText(task.Failure?.Fingerprint) ? null
        : "text_is_text";

    /// <summary>A store keeps microseconds. A reference that kept more would hide what a restart loses.</summary>
    public static DateTimeOffset Stored(DateTimeOffset at) => new(at.UtcTicks - at.UtcTicks % TimeSpan.TicksPerMicrosecond, TimeSpan.Zero);

    /// <summary>PostgreSQL holds neither U+0000 nor half a surrogate pair.</summary>
    private static bool IsText(string? text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (System.Text.Rune.DecodeFromUtf16(rest, out var rune, out var consumed) != System.Buffers.OperationStatus.Done || rune.Value == 0)
                return false;
            rest = rest[consumed..];
        }
        return true;
    }
}
