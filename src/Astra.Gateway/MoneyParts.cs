using Astra.Governance;
using Astra.Llm.Money;

namespace Astra.Gateway;

/// <summary>Budgets, prices, usage and secrets of a server that keeps them.</summary>
public sealed record MoneyParts
{
    public required IBudgetStore Budgets { get; init; }
    public required BudgetLedger Ledger { get; init; }
    public required IPriceStore Prices { get; init; }
    public required PriceBook PriceBook { get; init; }

    /// <summary>Told when prices were set here; the other nodes find them by themselves.</summary>
    public required Func<CancellationToken, Task> ReloadPrices { get; init; }

    /// <summary>Whether a provider is somebody else's machine, which is not free.</summary>
    public required Func<string, bool> IsRemote { get; init; }

    public required IUsageReads Usage { get; init; }
    public required SecretVault Secrets { get; init; }
    public required MoneyMetrics Metrics { get; init; }
}
