using Astra.Kernel.Effects;
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
    TaskSkipped = 30,
    TaskReplaced = 31,
    TaskExtended = 32,
    GoalPaused = 40,
    GoalResumed = 41,
    TaskReleased = 50,
    EffectIntended = 51,
    EffectSettled = 52,
    EffectLost = 53,
    TaskFixed = 54,
    PredecessorEnded = 60,
    GoalDelegated = 61,
    GoalReleased = 62,
    GoalDiscarded = 63,
    ApprovalVoted = 64,
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

    /// <summary>It waits for these too: what a wide join costs to extend is what is added to it.</summary>
    public sealed record TaskExtended(IReadOnlyList<Dependency> After) : KernelEvent(EventKind.TaskExtended);

    public sealed record TaskReplaced(TaskSpec Spec) : KernelEvent(EventKind.TaskReplaced);

    public sealed record TaskPrioritised(int Priority) : KernelEvent(EventKind.TaskPrioritised);

    public sealed record TaskUnblocked() : KernelEvent(EventKind.TaskUnblocked);

    public sealed record TaskBlocked() : KernelEvent(EventKind.TaskBlocked);

    public sealed record TaskDoomed(TaskId By) : KernelEvent(EventKind.TaskDoomed);

    /// <summary>Cancelled like a doomed task, and no failure: another way was taken.</summary>
    public sealed record TaskSkipped(TaskId By) : KernelEvent(EventKind.TaskSkipped);

    public sealed record TaskClaimed(WorkerId Worker, string WorkerName, Guid? WorkerProcess) : KernelEvent(EventKind.TaskClaimed);

    /// <param name="Outcome">What dependencies may ask for: a word the task says of itself.</param>
    public sealed record TaskCompleted(ReadOnlyMemory<byte> Output, string? Outcome = null) : KernelEvent(EventKind.TaskCompleted);

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

    /// <summary>The attempt is over and nobody is to blame: it was given back, or its server was.</summary>
    public sealed record TaskReleased(string Reason) : KernelEvent(EventKind.TaskReleased);

    /// <summary>The attempt is about to act on the outside world.</summary>
    public sealed record EffectIntended(string What) : KernelEvent(EventKind.EffectIntended);

    /// <param name="By">The person who found out; null when the worker says so itself.</param>
    public sealed record EffectSettled(EffectState State, ReadOnlyMemory<byte> Output, string? By) : KernelEvent(EventKind.EffectSettled);

    /// <summary>The attempt ended between intent and outcome. The task waits for a person to find out.</summary>
    public sealed record EffectLost(Failure Failure) : KernelEvent(EventKind.EffectLost);

    /// <summary>A person has changed a dead letter before replaying it.</summary>
    public sealed record TaskFixed(string? Executor, ReadOnlyMemory<byte>? Input, string By) : KernelEvent(EventKind.TaskFixed);

    /// <summary>Somebody has said yes or no to a task that waits for approval. A no cancels it in the same commit.</summary>
    /// <param name="Digest">What was voted on; see <see cref="Approvals.Approval.DigestOf"/>.</param>
    public sealed record ApprovalVoted(bool IsFor, string Digest, string By, string? Reason) : KernelEvent(EventKind.ApprovalVoted);

    public sealed record GoalPaused(string By, string? Reason) : KernelEvent(EventKind.GoalPaused);

    public sealed record GoalResumed(string By) : KernelEvent(EventKind.GoalResumed);

    /// <summary>A goal that this one comes after has ended. After the last of them its tasks may run, or, when it did not end
    /// as it should have, the goal is cancelled in the same commit.</summary>
    public sealed record PredecessorEnded(GoalId On, GoalState State) : KernelEvent(EventKind.PredecessorEnded);

    /// <summary>The attempt has submitted a goal for another agent, which begins in the same commit.</summary>
    public sealed record GoalDelegated(string Name, ulong Digest) : KernelEvent(EventKind.GoalDelegated);

    /// <summary>A person has let a goal out of quarantine: its rows are made anew, whole.</summary>
    public sealed record GoalReleased(string By) : KernelEvent(EventKind.GoalReleased);

    /// <summary>A person has given a goal in quarantine up: its rows go, and its history goes with its segments.</summary>
    public sealed record GoalDiscarded(string Reason, string By) : KernelEvent(EventKind.GoalDiscarded);
}
