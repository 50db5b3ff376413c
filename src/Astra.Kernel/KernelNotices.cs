using Astra.Kernel.Metrics;

namespace Astra.Kernel;

/// <summary>What an operator should know about the kernel itself: troubles of the node, not events of goals.</summary>
public abstract record KernelNotice
{
    public sealed record ShardLost(ShardId Shard, string Reason) : KernelNotice;

    public sealed record RenewalFailed(string Reason) : KernelNotice;

    public sealed record LoadFailed(string Reason) : KernelNotice;

    public sealed record ProjectionDelayed(string Reason) : KernelNotice;

    public sealed record ControlsNotRead(string Reason) : KernelNotice;

    public sealed record SchedulesDelayed(string Reason) : KernelNotice;

    /// <summary>
    /// This node serves no longer: a part of it that nobody above can mend has failed, or more handlers than it can
    /// carry did not come back. Its host ends the process, and a new one takes the shards over. Told once.
    /// </summary>
    public sealed record NodeFailed(string Actor, string Reason) : KernelNotice;

    /// <summary>An operator's command to an actor.</summary>
    public sealed record ActorCommanded(string Path, string Command, string By) : KernelNotice;

    public sealed record GoalQuarantined(GoalId Goal, string Reason) : KernelNotice;
}

internal sealed class KernelNotices(KernelMetrics metrics)
{
    public Action<KernelNotice>? Subscriber { get; set; }

    public void Publish(KernelNotice notice)
    {
        metrics.Noticed(notice);
        Subscriber?.Invoke(notice);
    }
}
