namespace Astra.Llm.Money;

/// <summary>Looks for what cannot be a price. One that was typed per token instead of per million would stop everybody, or nobody.</summary>
public static class PriceRules
{
    /// <summary>Several times what the dearest model has ever cost for a million tokens.</summary>
    public static readonly Nanodollars RateMax = Nanodollars.FromDollars(2_000);

    /// <summary>Writing to a provider's cache costs a quarter more than plain input, or twice as much for a longer time.</summary>
    private const int CacheWriteTimesMax = 4;

    /// <param name="isRemote">Somebody else's machine is not free.</param>
    /// <returns>What is wrong, as one sentence; null when the price is plausible.</returns>
    public static string? Refuse(ModelPrice price, bool isRemote) =>
        Refuse(price, price.Rates, isRemote)
        ?? (price.LargeInput is not { } large ? null
            : large.AboveInputTokens < 1 ? $"{SubjectOf(price)} for large inputs says from how many tokens on an input is large."
            : Refuse(price, large.Rates, isRemote));

    private static string? Refuse(ModelPrice price, PerMillionTokens rates, bool isRemote)
    {
        Nanodollars[] each = [rates.Input, rates.CachedInput, rates.CacheWrite, rates.Output, rates.Reasoning];
        if (each.Any(rate => rate < Nanodollars.Zero))
            return $"{SubjectOf(price)} is negative.";
        if (each.Any(rate => rate > RateMax))
            return $"{SubjectOf(price)} is more than {RateMax} for a million tokens, which no model costs; prices are for a million tokens.";
        // What only reads, as an embedding does, answers nothing that could cost.
        if (isRemote && (rates.Input == Nanodollars.Zero || (rates.Output == Nanodollars.Zero && !price.Model.Contains("embed", StringComparison.OrdinalIgnoreCase))))
            return $"{SubjectOf(price)} is zero, but it does not run on a machine of yours; set what it costs with `astra price set`.";
        if (rates.CachedInput > rates.Input)
            return $"{SubjectOf(price)} is higher for input from the cache than for other input; the two may be the wrong way round.";
        if (rates.CacheWrite.Value / CacheWriteTimesMax > rates.Input.Value)
            return $"{SubjectOf(price)} for writing to the cache is more than {CacheWriteTimesMax} times that of other input.";
        return null;
    }

    private static string SubjectOf(ModelPrice price) => $"The price of {price.Provider}/{price.Model}";
}
