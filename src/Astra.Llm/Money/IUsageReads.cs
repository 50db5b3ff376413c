using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>What usage is added up by.</summary>
public enum UsageGrouping { Model, Agent, Goal, Key, Day }

/// <summary>What some attempts came to together.</summary>
/// <param name="Of">The model, the agent, the goal's or the key's id, or the day; empty for calls that name none.</param>
/// <param name="UnpricedCalls">Calls of models that had no price; their cost is not in the sum.</param>
public sealed record UsageSum(string Of, long Calls, TokenUsage Usage, Nanodollars Cost, long UnpricedCalls);

public interface IUsageReads
{
    /// <summary>What the attempts at one request came to, the first one first; none when nobody was asked or nothing is written down yet.</summary>
    ValueTask<IReadOnlyList<UsageRecord>> OfRequestAsync(TenantId tenant, Guid request, CancellationToken cancellationToken);

    /// <summary>The dearest first; days in their order.</summary>
    ValueTask<IReadOnlyList<UsageSum>> SumAsync(
        TenantId tenant, UsageGrouping by, DateTimeOffset from, DateTimeOffset to, int countMax, CancellationToken cancellationToken);
}
