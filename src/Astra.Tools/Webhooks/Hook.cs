using Astra.Kernel;
using Astra.Kernel.Tasks;

namespace Astra.Tools.Webhooks;

public readonly record struct HookId(Guid Value)
{
    public override string ToString() => Value.ToString();
}

/// <summary>Where a tenant wants to be told, and of what.</summary>
public sealed record Hook(TenantId Tenant, HookId Id, string Url, IReadOnlyList<string> Kinds, string CreatedBy, DateTimeOffset CreatedAt);

/// <summary>A hook and how it is doing.</summary>
/// <param name="Problem">Of the latest try, unless that succeeded.</param>
public sealed record HookStanding(Hook Hook, int Waiting, int Failed, DateTimeOffset? DeliveredAt, DateTimeOffset? NextAt, string? Problem);

/// <summary>What becomes of a message. The numbers are on disk and never change.</summary>
public enum MessageState : short { Waiting = 1, Delivered = 2, Failed = 3 }

/// <summary>One message on its way to one hook.</summary>
public sealed record HookMessage(
    Guid Id, string Kind, MessageState State, int Attempt, DateTimeOffset CreatedAt, DateTimeOffset? DueAt, DateTimeOffset? EndedAt, int? Status, string? Problem);

/// <summary>A message that has been taken from the outbox for one try. The attempt is the fence of its result: who reports on
/// an older one changes nothing.</summary>
public sealed record DueMessage(TenantId Tenant, HookId Hook, long Seq, Guid Id, int Attempt, string Kind, string Url, ReadOnlyMemory<byte> SealedSecret, ReadOnlyMemory<byte> Body);

/// <summary>What waits in the outbox; the age is zero when nothing does.</summary>
public sealed record OutboxBacklog(long Waiting, TimeSpan OldestAge);

/// <summary>What came of one try.</summary>
/// <param name="IsFinal">No other try would do better.</param>
public sealed record TryOutcome(bool IsDelivered, int? Status = null, string? Problem = null, bool IsFinal = false);

/// <summary>The kinds of events as the store keeps them, for whoever does not know the SDK.</summary>
public static class FailureKinds
{
    public const string NewGroup = Sdk.HookKinds.NewGroup;
    public const string HourlyRates = Sdk.HookKinds.HourlyRates;
    public const string Test = Sdk.HookKinds.Test;
}

/// <summary>Something about failures that a tenant may want to hear of, in the bytes that are sent.</summary>
public sealed record FailureEvent(long Seq, string Kind, DateTimeOffset At, ReadOnlyMemory<byte> Body);

/// <summary>A cause that had no dead letters, and has.</summary>
public sealed record NewGroup(
    TenantId Tenant, string Fingerprint, int Count, string Reason, IReadOnlyList<string> Kinds, IReadOnlyList<string> Executors, TaskId Task, GoalId Goal, DateTimeOffset DiedAt);

/// <summary>An hour in which tasks of a tenant died, and which is over.</summary>
public sealed record HourOfDeaths(TenantId Tenant, DateTimeOffset Hour, IReadOnlyList<DeathRate> Rates);
