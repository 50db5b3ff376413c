using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>The kind of an entry. On disk for ever; see FrozenNumbersTests.</summary>
public enum EventKind : short
{
    GoalSubmitted = 1,
    PlanEdited = 2,
    TaskAdded = 3,
    TaskRemoved = 4,
    TaskRewired = 5,
    TaskPrioritised = 6,
    TaskUnblocked = 7,
    TaskBlocked = 8,
    TaskDoomed = 9,
    TaskClaimed = 10,
    TaskCompleted = 11,
    TaskRetried = 12,
    TaskDied = 13,
    TaskExpired = 14,
    TaskSuspended = 15,
    TaskCancelled = 16,
    TaskRedriven = 17,
    GoalCompleted = 20,
    GoalFailed = 21,
    GoalCancelled = 22,
    GoalReopened = 23,
    GoalPaused = 40,
    GoalResumed = 41,
}

/// <summary>
/// Everything that can happen, as a closed set. An event is appended in the same commit as the state it describes and
/// carries everything needed to rebuild that state; whoever watches Astra watches these and nothing else.
/// </summary>
public abstract record KernelEvent(EventKind Kind)
{
    public sealed record GoalSubmitted() : KernelEvent(EventKind.GoalSubmitted)
    {
        public required string? Agent { get; init; }
        public required string Title { get; init; }
        public required ReadOnlyMemory<byte> Input { get; init; }
        public required int Priority { get; init; }
        public required DeadTaskPolicy DeadTaskPolicy { get; init; }
        public required string? IdempotencyKey { get; init; }

        /// <summary>Tells a repeated submission from another one under the same key.</summary>
        public required ulong RequestDigest { get; init; }

        public required string SubmittedBy { get; init; }
        public GoalExtras Extras { get; init; } = GoalExtras.None;
    }

    /// <summary>Comes before the edits it announces, in the same commit.</summary>
    public sealed record PlanEdited(long Revision, string By, string? Reason) : KernelEvent(EventKind.PlanEdited);

    public sealed record TaskAdded(TaskSpec Spec, IReadOnlyList<Dependency> After) : KernelEvent(EventKind.TaskAdded);

    public sealed record TaskRemoved() : KernelEvent(EventKind.TaskRemoved);

    public sealed record TaskRewired(IReadOnlyList<Dependency> After) : KernelEvent(EventKind.TaskRewired);

    public sealed record TaskPrioritised(int Priority) : KernelEvent(EventKind.TaskPrioritised);

    public sealed record TaskUnblocked() : KernelEvent(EventKind.TaskUnblocked);

    public sealed record TaskBlocked() : KernelEvent(EventKind.TaskBlocked);

    public sealed record TaskDoomed(TaskId By) : KernelEvent(EventKind.TaskDoomed);

    public sealed record TaskClaimed(WorkerId Worker, string WorkerName, Guid? WorkerProcess) : KernelEvent(EventKind.TaskClaimed);

    public sealed record TaskCompleted(ReadOnlyMemory<byte> Output) : KernelEvent(EventKind.TaskCompleted);

    public sealed record TaskRetried(Failure Failure, DateTimeOffset DueAt) : KernelEvent(EventKind.TaskRetried);

    public sealed record TaskDied(Failure Failure) : KernelEvent(EventKind.TaskDied);

    public sealed record TaskExpired(string Reason) : KernelEvent(EventKind.TaskExpired);

    public sealed record TaskSuspended() : KernelEvent(EventKind.TaskSuspended);

    public sealed record TaskCancelled(string Reason) : KernelEvent(EventKind.TaskCancelled);

    public sealed record TaskRedriven(string By) : KernelEvent(EventKind.TaskRedriven);

    public sealed record GoalCompleted(ReadOnlyMemory<byte> Result) : KernelEvent(EventKind.GoalCompleted);

    public sealed record GoalFailed(string Reason) : KernelEvent(EventKind.GoalFailed);

    public sealed record GoalCancelled(string Reason) : KernelEvent(EventKind.GoalCancelled);

    public sealed record GoalReopened(string By) : KernelEvent(EventKind.GoalReopened);

    public sealed record GoalPaused(string By, string? Reason) : KernelEvent(EventKind.GoalPaused);

    public sealed record GoalResumed(string By) : KernelEvent(EventKind.GoalResumed);
}
