using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace Astra.Llm.Money;

/// <summary>
/// The prices that the program comes with: the file prices.json, in dollars for a million tokens, as the price lists of providers
/// had them when it was built. Prices change; `astra price set` says what holds. Writing to a
/// cache stands there for the life that a cache has by default.
/// </summary>
public static class BuiltInPrices
{
    private static readonly Lazy<IReadOnlyList<ModelPrice>> Loaded = new(Load);

    public static IReadOnlyList<ModelPrice> All => Loaded.Value;

    private static IReadOnlyList<ModelPrice> Load()
    {
        using var file = Assembly.GetExecutingAssembly().GetManifestResourceStream("prices.json")!;
        using var document = JsonDocument.Parse(file);
        return [.. document.RootElement.EnumerateArray().Select(price => new ModelPrice(
            PriceBook.AnyProvider, price.GetProperty("model").GetString()!,
            DateTimeOffset.Parse(price.GetProperty("from").GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
            RatesOf(price),
            price.TryGetProperty("large", out var large) ? new LargeInputPrice(price.GetProperty("above").GetInt64(), RatesOf(large)) : null,
            IsBuiltIn: true))];
    }

    private static PerMillionTokens RatesOf(JsonElement rates)
    {
        var (input, output) = (Amount("input")!.Value, Amount("output")!.Value);
        return new PerMillionTokens(input, Amount("cached") ?? input, Amount("cacheWrite") ?? input, output, output);

        Nanodollars? Amount(string name) => rates.TryGetProperty(name, out var dollars) ? Nanodollars.FromDollars(dollars.GetDecimal()) : null;
    }
}
