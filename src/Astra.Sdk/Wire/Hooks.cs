using System.Text.Json;

namespace Astra.Sdk;

/// <summary>What a hook can be told of. The names are what `type` says in a message and what a hook asks for.</summary>
public static class HookKinds
{
    /// <summary>A cause that had no dead letters has one.</summary>
    public const string NewGroup = "dead_group.new";

    /// <summary>An hour in which tasks were given up is over.</summary>
    public const string HourlyRates = "dead_rates.hour";

    /// <summary>A budget for models has reached 50, 80 or 100 percent.</summary>
    public const string BudgetThreshold = "budget.threshold";

    /// <summary>Sent by `hook test`; nobody asks for it.</summary>
    public const string Test = "hook.test";

    public static IReadOnlyList<string> All { get; } = [NewGroup, HourlyRates, BudgetThreshold];
}

/// <summary>POST /api/v1/hooks.</summary>
/// <param name="Kinds">What to be told of; new groups when left out.</param>
public sealed record HookRequest(string Url, IReadOnlyList<string>? Kinds = null);

/// <summary>A hook and how it is doing.</summary>
/// <param name="Waiting">Messages that have not been taken yet and will be tried again, the next one at `NextAt`.</param>
/// <param name="Failed">Messages of the last days that were given up.</param>
/// <param name="DeliveredAt">When the receiver took the latest message.</param>
/// <param name="Problem">Why the latest try that failed did, unless a later one succeeded.</param>
public sealed record HookView(
    Guid Id, string Url, IReadOnlyList<string> Kinds, string CreatedBy, DateTimeOffset CreatedAt,
    int Waiting, int Failed, DateTimeOffset? DeliveredAt = null, DateTimeOffset? NextAt = null, string? Problem = null);

/// <summary>The answer to a POST of a hook, and the only time that the secret is shown.</summary>
public sealed record NewHook(HookView Hook, string Secret);

/// <summary>GET /api/v1/hooks/{id}: the hook with its latest messages.</summary>
public sealed record HookDetail(HookView Hook, IReadOnlyList<DeliveryView> Deliveries);

public enum DeliveryState { Waiting, Delivered, Failed }

/// <summary>One message on its way to a hook.</summary>
/// <param name="Message">Its `webhook-id`: the same at every try, so that a receiver knows what it has had.</param>
/// <param name="Status">What the receiver answered last.</param>
public sealed record DeliveryView(
    string Message, string Kind, DeliveryState State, int Attempt, DateTimeOffset CreatedAt,
    DateTimeOffset? DueAt = null, DateTimeOffset? EndedAt = null, int? Status = null, string? Problem = null);

/// <summary>What a hook is sent, and what GET /api/v1/dead-letters/events lists.</summary>
/// <param name="Seq">Of a list: where the next page begins. A message has none.</param>
public sealed record FailureEventView(string Type, DateTimeOffset Timestamp, JsonElement Data, long? Seq = null);

/// <summary>The data of `dead_group.new`.</summary>
/// <param name="Group">What `dead list --group` takes.</param>
/// <param name="Count">How many have died of it until this was noticed.</param>
public sealed record NewGroupData(
    string Group, string Fingerprint, string Reason, int Count, IReadOnlyList<string> Kinds, IReadOnlyList<string> Executors, Guid Task, Guid Goal, DateTimeOffset DiedAt);

/// <summary>The data of `dead_rates.hour`.</summary>
public sealed record HourlyRatesData(DateTimeOffset Hour, int Count, IReadOnlyList<DeathRateView> Rates);

/// <summary>The data of `hook.test`.</summary>
public sealed record HookTestData(Guid Hook, string By);
