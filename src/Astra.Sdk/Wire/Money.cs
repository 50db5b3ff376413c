namespace Astra.Sdk;

/// <summary>Whose budget, from the widest to the narrowest.</summary>
public enum BudgetLevel { Platform, Tenant, Agent, Goal, Task, Key }

/// <summary>For how long a cap holds, by the calendar of UTC.</summary>
public enum BudgetWindow { Day, Month, Total }

/// <summary>PUT /api/v1/budgets. Amounts are whole nano-dollars: a dollar is 1,000,000,000.</summary>
public sealed record BudgetRequest
{
    public required BudgetLevel Level { get; init; }

    /// <summary>The agent's name, or the id of the goal, the task or the API key; left out for the tenant and the platform.</summary>
    public string? Of { get; init; }

    public BudgetWindow Window { get; init; } = BudgetWindow.Total;
    public required long CapNanos { get; init; }

    /// <summary>From so many percent on, calls go to a cheaper tier.</summary>
    public int? DegradeAtPercent { get; init; }

    public string? DegradeTo { get; init; }

    /// <summary>Of a budget that whoever runs the server sets for a tenant.</summary>
    public string? Tenant { get; init; }
}

/// <summary>A budget and where it stands in the period that runs.</summary>
public sealed record BudgetView
{
    public required BudgetLevel Level { get; init; }
    public string? Of { get; init; }
    public required BudgetWindow Window { get; init; }
    public required long CapNanos { get; init; }
    public required long SpentNanos { get; init; }

    /// <summary>What servers hold for calls under way, and at hand for the next ones.</summary>
    public required long HeldNanos { get; init; }

    /// <summary>What servers held that are gone. It may have been spent, so it counts as spent until somebody says otherwise.</summary>
    public required long LostNanos { get; init; }

    public required long LeftNanos { get; init; }
    public required DateTimeOffset StartsAt { get; init; }

    /// <summary>Null when it never does.</summary>
    public DateTimeOffset? ResetsAt { get; init; }

    public int? DegradeAtPercent { get; init; }
    public string? DegradeTo { get; init; }
    public required string SetBy { get; init; }
    public required DateTimeOffset SetAt { get; init; }
}

/// <summary>POST /api/v1/budgets/forgive: what dead servers held of this budget was not spent, says whoever has looked.</summary>
public sealed record BudgetForgiveRequest(BudgetLevel Level, string? Of = null, BudgetWindow Window = BudgetWindow.Total);

public sealed record BudgetForgiven(long ForgivenNanos);

public enum UsageGrouping { Model, Agent, Goal, Key, Day }

/// <summary>What some attempts came to together.</summary>
/// <param name="Of">The model, the agent, the id of the goal or the key, or the day; empty for calls that name none.</param>
/// <param name="UnpricedCalls">Calls of models without a price; what they cost is not in the sum.</param>
public sealed record UsageSumView(
    string Of, long Calls, long InputTokens, long CachedInputTokens, long CacheWriteTokens, long OutputTokens, long ReasoningTokens, long CostNanos, long UnpricedCalls);

/// <summary>GET /api/v1/usage.</summary>
public sealed record UsageView(UsageGrouping By, DateTimeOffset From, DateTimeOffset To, IReadOnlyList<UsageSumView> Sums);

/// <summary>How an attempt at a model ended.</summary>
public enum AttemptEnd { Completed = 1, Failed, Cut, Abandoned, Overtaken, Cached }

/// <summary>What one attempt came to.</summary>
/// <param name="Model">Who was asked: provider/model.</param>
/// <param name="IsEstimated">The provider did not get to say it: counted from what was sent and delivered.</param>
/// <param name="CostNanos">Null where the model has no price.</param>
public sealed record AttemptUsageView(
    DateTimeOffset At, string Model, AttemptEnd Outcome, bool IsEstimated, long InputTokens, long CachedInputTokens, long CacheWriteTokens, long OutputTokens, long ReasoningTokens,
    long? CostNanos, double DurationMs);

/// <summary>GET /api/v1/usage/requests/{id}: one request, by the id that its answer had in `x-request-id` or `request-id`.</summary>
/// <param name="CostNanos">Of all attempts that have a price.</param>
public sealed record RequestUsageView(Guid Request, long CostNanos, IReadOnlyList<AttemptUsageView> Attempts);

/// <summary>What a million tokens cost, in nano-dollars.</summary>
public sealed record RatesView(long InputNanos, long CachedInputNanos, long CacheWriteNanos, long OutputNanos, long ReasoningNanos);

/// <summary>A version of the price of a model. POST /api/v1/prices adds one.</summary>
/// <param name="Provider">* stands for every provider that has no price of its own.</param>
/// <param name="LargeAboveTokens">Requests with more input than this cost `Large`.</param>
public sealed record PriceView(
    string Provider, string Model, DateTimeOffset ValidFrom, RatesView Rates, long? LargeAboveTokens = null, RatesView? Large = null, bool IsBuiltIn = false);

/// <summary>PUT /api/v1/secrets/{name}. No answer ever holds the value.</summary>
public sealed record SecretRequest(string Value)
{
    /// <summary>A record prints its members; this one must not.</summary>
    public override string ToString() => nameof(SecretRequest);
}

public sealed record SecretView(string Name, string KeyId, string SetBy, DateTimeOffset CreatedAt, DateTimeOffset SetAt);

/// <summary>The data of `budget.threshold`: so much of a budget is spent.</summary>
public sealed record BudgetThresholdData(
    BudgetLevel Level, string? Of, BudgetWindow Window, int Percent, long CapNanos, long SpentNanos, DateTimeOffset StartsAt, DateTimeOffset? ResetsAt);
