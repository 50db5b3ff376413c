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

    public sealed record GoalQuarantined(GoalId Goal, string Reason) : KernelNotice;
}

internal sealed class KernelNotices
{
    public Action<KernelNotice>? Subscriber { get; set; }

    public void Publish(KernelNotice notice) => Subscriber?.Invoke(notice);
}
