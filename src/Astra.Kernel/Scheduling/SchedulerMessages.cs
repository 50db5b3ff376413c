using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

internal sealed record Withdraw(TaskId Task);

/// <summary>The claim is durable, and the worker has been told.</summary>
internal sealed record ClaimCommitted(ClaimTask Claim);

/// <summary>The shard would not have it. If the task is still ready, the shard is moving or unsure that it is the owner,
/// and will say so again or be forgotten.</summary>
internal sealed record ClaimRefused(ClaimTask Claim, bool IsWorthAnother);

/// <summary>The worker no longer has this attempt, whichever way. Saying so twice is harmless.</summary>
internal sealed record SlotFreed(AttemptId Attempt, WorkerId Worker);

/// <summary>What this shard offered is not on offer any more, and claims that it has not answered will never be. It offers
/// anew when it is back.</summary>
/// <param name="HasLeft">This node has given it up. Workers that are connected here keep what they hold of it and report it
/// to the next owner over the bus; it cannot say here that a lease has ended, so that is watched from here.</param>
internal sealed record ForgetShard(ShardId Shard, bool HasLeft);

/// <summary>A shard is back, and these attempts go on. Whatever else of it a worker still holds ended in a commit whose
/// effects were lost with the incarnation that made it.</summary>
internal sealed record ShardAdopted(ShardId Shard, IReadOnlyList<RunningTask> Running);

/// <param name="Ready">As it was offered before this attempt.</param>
internal sealed record RunningTask(ReadyTask Ready, WorkerId Worker)
{
    public AttemptId Attempt => new(Ready.Task, Ready.AttemptBefore + 1);
}

/// <summary>The owner, on another node, has renewed these.</summary>
internal sealed record LeasesKept(WorkerId Worker, IReadOnlyList<AttemptId> Attempts);

internal sealed record WorkerJoined(WorkerHandle Worker);

internal sealed record WorkerDrained(WorkerId Worker);

internal sealed record WorkerResized(WorkerId Worker, int Slots);

internal sealed record WorkerLeft(WorkerId Worker);

/// <summary>A lease of it has ended at this moment, and it had not been heard.</summary>
internal sealed record WorkerSilent(WorkerId Worker, TimeSpan At);

/// <summary>One that was believed to be silent.</summary>
internal sealed record WorkerHeard(WorkerId Worker);

/// <summary>The node has begun to drain, or does not any more: look again.</summary>
internal sealed record DrainingChanged;

/// <summary>The machine's calendar was set: what was set to it is set anew.</summary>
internal sealed record CalendarJumped
{
    public static readonly CalendarJumped Instance = new();
}

/// <summary>Answered with a <see cref="WaitReason"/>.</summary>
internal sealed record ExplainReady(TenantId Tenant, string? Agent, TaskId Task, TaskClass Class);

/// <summary>Answered with a <see cref="WaitReason"/>, or with <see cref="NoReason"/> when no such worker is connected here.</summary>
internal sealed record ExplainWorker(TenantId Tenant, WorkerId Worker);

/// <summary>Answered with a <see cref="WaitReason"/>.</summary>
internal sealed record ExplainAgent(TenantId Tenant, string Agent, string Executor);

internal sealed record WaitReason(string Sentence, IReadOnlyDictionary<string, string> Evidence);

internal sealed record NoReason
{
    public static readonly NoReason Instance = new();
}

/// <summary>Answered with a <see cref="SchedulerSummary"/>.</summary>
internal sealed record Summarise
{
    public static readonly Summarise Instance = new();
}

/// <param name="WaitAtMost">What a tenant with nothing running waits for its first slot at most; null without a slot.</param>
internal sealed record SchedulerSummary(
    int ReadyCount, int RunningCount, IReadOnlyList<WorkerSummary> Workers, int TenantsWaiting, TimeSpan LongestTask, TimeSpan? WaitAtMost, bool IsDraining);
