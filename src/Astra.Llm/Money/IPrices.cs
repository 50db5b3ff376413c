namespace Astra.Llm.Money;

/// <summary>What a model costs, in the versions that held over time.</summary>
public interface IPrices
{
    /// <summary>The price that held then; null for a model nobody has given one, which is refused under a cap and free nowhere.</summary>
    ModelPrice? Find(string provider, string model, DateTimeOffset at);
}

/// <summary>
/// One version of the price of a model. The amounts are for a million tokens, as price lists have them; a call's cost is summed
/// up before it is divided, and rounded up.
/// </summary>
/// <param name="LargeInput">Prices for calls whose whole input is larger than so many tokens; null where there are none.</param>
public sealed record ModelPrice(
    string Provider, string Model, DateTimeOffset ValidFrom, PerMillionTokens Rates, LargeInputPrice? LargeInput = null, bool IsBuiltIn = false)
{
    private const long Million = 1_000_000;

    public Nanodollars CostOf(TokenUsage usage)
    {
        var rates = RatesFor(usage.TotalInput);
        // 128 bits: a million tokens at a thousand dollars a million is 10^18 already.
        var plain = usage.Output - usage.Reasoning;
        var sum = (Int128)usage.Input * rates.Input.Value + (Int128)usage.CachedInput * rates.CachedInput.Value
            + (Int128)usage.CacheWrite * rates.CacheWrite.Value + (Int128)plain * rates.Output.Value + (Int128)usage.Reasoning * rates.Reasoning.Value;
        return new Nanodollars(checked((long)((sum + Million - 1) / Million)));
    }

    /// <summary>No call with at most so much input and output costs more.</summary>
    public Nanodollars WorstCaseOf(long inputTokensMax, long outputTokensMax)
    {
        var worst = CostAt(Rates);
        return LargeInput is { } large && inputTokensMax > large.AboveInputTokens ? Nanodollars.Max(worst, CostAt(large.Rates)) : worst;

        Nanodollars CostAt(PerMillionTokens rates)
        {
            var input = Math.Max(rates.Input.Value, Math.Max(rates.CachedInput.Value, rates.CacheWrite.Value));
            var output = Math.Max(rates.Output.Value, rates.Reasoning.Value);
            var sum = (Int128)inputTokensMax * input + (Int128)outputTokensMax * output;
            // What does not fit is more than any cap, and is refused by each.
            var nanos = (sum + Million - 1) / Million;
            return new Nanodollars(nanos > long.MaxValue ? long.MaxValue : (long)nanos);
        }
    }

    private PerMillionTokens RatesFor(long inputTokens) =>
        LargeInput is { } large && inputTokens > large.AboveInputTokens ? large.Rates : Rates;
}

public sealed record LargeInputPrice(long AboveInputTokens, PerMillionTokens Rates);

/// <summary>Rates of one version, each for a million tokens.</summary>
public sealed record PerMillionTokens(Nanodollars Input, Nanodollars CachedInput, Nanodollars CacheWrite, Nanodollars Output, Nanodollars Reasoning)
{
    /// <summary>As providers charge that say nothing of caches and of reasoning.</summary>
    public static PerMillionTokens Of(Nanodollars input, Nanodollars output) => new(input, input, input, output, output);
}
