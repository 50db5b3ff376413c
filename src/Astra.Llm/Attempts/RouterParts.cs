using Astra.Kernel;
using Astra.Llm.Money;
using Astra.Llm.Routing;

namespace Astra.Llm.Attempts;

/// <summary>What every attempt has at hand.</summary>
internal sealed record RouterParts(IProviderKeys Keys, IBudgets Budgets, IPrices Prices, IUsageLog Usage, IRandomness Randomness, TimeProvider Clock)
{
    public HedgeBudget Hedges { get; } = new();
}
