using Astra.Kernel.Actors;
using Astra.Kernel.Effects;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Shards;

/// <summary>Asked by the front door; each is answered with an <see cref="Answer{T}"/> once it is durable.</summary>
internal abstract record ShardRequest(TenantId Tenant)
{
    /// <param name="LookedAt">When somebody began to look for the idempotency key in the rows, on this node's clock.</param>
    /// <param name="Unrelated">What it names is not there or not fit; a submission that was taken before is answered all the same.</param>
    public sealed record Submit(Caller Caller, GoalId Goal, GoalRequest Goods, ulong Digest, TimeSpan LookedAt, Refusal? Unrelated = null) : ShardRequest(Caller.Tenant);

    /// <param name="IsBrief">Answered with the goal's row: what an edit costs is then what it changes, and not what there is.</param>
    public sealed record Edit(Caller Caller, GoalId Goal, long? IfRevision, IReadOnlyList<GraphEdit> Edits, string? Reason, bool IsBrief = false) : ShardRequest(Caller.Tenant);

    /// <summary>What would an edit do? Answered with the revision it would make; changes nothing.</summary>
    public sealed record ValidateEdit(Caller Caller, GoalId Goal, long? IfRevision, IReadOnlyList<GraphEdit> Edits) : ShardRequest(Caller.Tenant);

    public sealed record CancelGoal(Caller Caller, GoalId Goal, string Reason) : ShardRequest(Caller.Tenant);

    public sealed record PauseGoal(Caller Caller, GoalId Goal, string? Reason) : ShardRequest(Caller.Tenant);

    public sealed record ResumeGoal(Caller Caller, GoalId Goal) : ShardRequest(Caller.Tenant);

    /// <summary>Out of quarantine, or given up in it.</summary>
    public sealed record ReleaseGoal(Caller Caller, GoalId Goal) : ShardRequest(Caller.Tenant);

    public sealed record DiscardGoal(Caller Caller, GoalId Goal, string Reason) : ShardRequest(Caller.Tenant);

    public sealed record Redrive(Caller Caller, TaskId Task) : ShardRequest(Caller.Tenant);

    public sealed record Discard(Caller Caller, TaskId Task, string Reason) : ShardRequest(Caller.Tenant);

    public sealed record Fix(Caller Caller, TaskId Task, string? Executor, ReadOnlyMemory<byte>? Input) : ShardRequest(Caller.Tenant);

    public sealed record ResolveEffect(Caller Caller, TaskId Task, EffectState Outcome, ReadOnlyMemory<byte> Output) : ShardRequest(Caller.Tenant);

    public sealed record Vote(Caller Caller, TaskId Task, bool IsFor, string Digest, string? Reason) : ShardRequest(Caller.Tenant);

    public sealed record ReadGoal(TenantId Of, GoalId Goal) : ShardRequest(Of);

    public sealed record ReadPlan(TenantId Of, GoalId Goal) : ShardRequest(Of);

    public sealed record ReadTask(TenantId Of, TaskId Task) : ShardRequest(Of);

    /// <summary>Answered with a <see cref="LeaseStanding"/>.</summary>
    public sealed record ReadLease(TenantId Of, TaskId Task) : ShardRequest(Of);

    /// <summary>Brings a finished goal back into memory and then serves what was asked of it, so that a dead letter in it
    /// can be redriven or discarded.</summary>
    /// <param name="ReadAt">When somebody began to read the snapshot, on this node's clock.</param>
    public sealed record Revive(GoalSnapshot Snapshot, TimeSpan ReadAt, ShardRequest Then) : ShardRequest(Snapshot.Goal.Tenant);
}

/// <summary>What a worker reports. The attempt is the fence.</summary>
internal abstract record WorkerReport(AttemptId Attempt, WorkerId Worker)
{
    public sealed record Completed(AttemptId Attempt, WorkerId Worker, ReadOnlyMemory<byte> Output, IReadOnlyList<GraphEdit> Edits, string? Outcome = null) : WorkerReport(Attempt, Worker);

    /// <summary>The attempt found that something has to be done first: the task waits for it and is then tried anew.</summary>
    public sealed record Suspended(AttemptId Attempt, WorkerId Worker, IReadOnlyList<NamedDependency> After, IReadOnlyList<GraphEdit> Edits) : WorkerReport(Attempt, Worker);

    public sealed record Failed(AttemptId Attempt, WorkerId Worker, Failure Failure) : WorkerReport(Attempt, Worker);

    /// <summary>The connection is gone.</summary>
    public sealed record Lost(AttemptId Attempt, WorkerId Worker, string Reason) : WorkerReport(Attempt, Worker);

    /// <summary>The worker gave the task back. That is no mark against the task.</summary>
    public sealed record Released(AttemptId Attempt, WorkerId Worker, string Reason) : WorkerReport(Attempt, Worker);

    /// <summary>It asks for a goal of another agent, under a name that every attempt uses for the same.</summary>
    public sealed record Delegated(AttemptId Attempt, WorkerId Worker, string Name, GoalRequest Goods) : WorkerReport(Attempt, Worker)
    {
        public GoalId Goal => Delegation.GoalOf(Attempt.Task, Name);
    }

    /// <summary>It is about to act on the outside world.</summary>
    public sealed record Intended(AttemptId Attempt, WorkerId Worker, string What) : WorkerReport(Attempt, Worker);

    /// <summary>It has, or it has not.</summary>
    public sealed record Settled(AttemptId Attempt, WorkerId Worker, EffectState Outcome, ReadOnlyMemory<byte> Output) : WorkerReport(Attempt, Worker);
}

/// <summary>Answered with the attempts that are not this worker's any more.</summary>
internal sealed record RenewLeases(WorkerId Worker, IReadOnlyList<AttemptId> Attempts);

/// <summary>From the scheduler: a slot is free for this task. Answered with ClaimCommitted or ClaimRefused, unless the
/// shard is lost first.</summary>
/// <param name="Epoch">Under which the task was offered.</param>
internal sealed record ClaimTask(TaskId Task, int AttemptBefore, Epoch Epoch, WorkerHandle Worker);

/// <summary>A worker as the kernel holds it.</summary>
internal sealed record WorkerHandle(WorkerId Id, WorkerOffer Offer, IWorker Worker, WorkerPulse Pulse);

/// <summary>From the region: the shard is owned under this epoch, and this is what it was when it was last committed.</summary>
/// <param name="Incarnation">The one it is meant for: the next one may run on nothing that an earlier one still appends to.</param>
internal sealed record ActivateShard(
    int Incarnation, Epoch Epoch, ShardSnapshot Snapshot, IReadOnlyList<JournalEntry> Tail, IReadOnlySet<Guid> LivingProcesses)
{
    /// <summary>Of each goal in quarantine, what the log has up to the watermark.</summary>
    public IReadOnlyList<IReadOnlyList<JournalEntry>> Histories { get; init; } = [];

    /// <summary>There is nothing to restore: no goal is active, and none is kept from the tables.</summary>
    public bool IsEmpty => Snapshot.Goals.Count == 0 && Snapshot.HeldBack.Count == 0 && Tail.Count == 0;
}

/// <summary>From the region: take nothing more, finish what is on its way to the log, answer <see cref="ShardHandedOver"/>.</summary>
internal sealed record HandOverShard;

internal sealed record ShardHandedOver(ShardId Shard);

/// <summary>To the region: the incarnation before crashed, and this one waits to be activated.</summary>
internal sealed record ShardRestarted(ShardId Shard, int Incarnation);

/// <summary>From the journal writer: look at the append that is under way.</summary>
internal sealed record AppendEnded
{
    public static readonly AppendEnded Instance = new();
}

internal sealed record LeasesDue
{
    public static readonly LeasesDue Instance = new();
}

internal sealed record EvictedDue
{
    public static readonly EvictedDue Instance = new();
}

internal sealed record DeadlinesDue
{
    public static readonly DeadlinesDue Instance = new();
}

/// <summary>From the projector: answer with everything that changed under this epoch.</summary>
internal sealed record TakeImage(Epoch Epoch);

/// <summary>From the projector: the rows show the shard as of this entry.</summary>
/// <param name="Quarantined">Of the goals in that image, those that the tables refuse.</param>
/// <param name="Released">Of the goals in that image, those that were to leave quarantine.</param>
internal sealed record Projected(long Watermark, IReadOnlyList<GoalId> Quarantined, IReadOnlyList<(TenantId Tenant, GoalId Goal)> Released);

/// <summary>The shard cannot go on under its epoch; it is rebuilt from the database under a new one.</summary>
internal sealed class ShardLostException(string reason) : Exception(reason);
