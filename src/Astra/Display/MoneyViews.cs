using System.Globalization;
using Astra.Commands;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>Budgets, usage, prices and secrets as a person reads them.</summary>
internal static class MoneyViews
{
    public static decimal UsedPart(BudgetView budget) => budget.CapNanos == 0 ? 1 : (decimal)(budget.CapNanos - budget.LeftNanos) / budget.CapNanos;

    public static void WriteBudgets(Terminal terminal, IReadOnlyList<BudgetView> budgets)
    {
        Tables.Write(
            terminal,
            ["Budget", "Of", "Per", "Cap", "Spent", "Held", "Lost", "Left", "Used", "Resets", "Cheaper"],
            budgets.Select(budget => (IReadOnlyList<string>)
            [
                Word(budget.Level), budget.Of ?? "", Word(budget.Window), Amounts.Text(budget.CapNanos), Amounts.Text(budget.SpentNanos), Optional(budget.HeldNanos),
                Optional(budget.LostNanos), Amounts.Text(budget.LeftNanos), $"{UsedPart(budget) * 100:0} %", Words.At(budget.ResetsAt),
                budget.DegradeTo is { } tier ? $"{tier} from {budget.DegradeAtPercent} %" : "",
            ]),
            "No budgets: nothing limits what is spent. `budget set tenant --cap 100 --per month` sets one.");
        if (budgets.Any(budget => budget.LostNanos > 0))
            terminal.Out.WriteLine("What is lost was held by servers that died: it may have been spent, so it counts. `budget forgive` gives it back once somebody has looked.");
    }

    public static void WriteUsage(Terminal terminal, UsageView usage)
    {
        Tables.Write(
            terminal,
            [usage.By.ToString(), "Calls", "Input", "Cached", "Cache write", "Output", "Reasoning", "Cost"],
            usage.Sums.Select(sum => (IReadOnlyList<string>)
            [
                sum.Of.Length == 0 ? "(none)" : sum.Of, Number(sum.Calls), Number(sum.InputTokens), Number(sum.CachedInputTokens), Number(sum.CacheWriteTokens),
                Number(sum.OutputTokens), Number(sum.ReasoningTokens), Amounts.Text(sum.CostNanos) + (sum.UnpricedCalls > 0 ? $" and {sum.UnpricedCalls} calls without a price" : ""),
            ]),
            "No calls of models in that time.");
    }

    public static void WriteRequest(Terminal terminal, RequestUsageView request) => Tables.Write(
        terminal,
        ["Model", "Outcome", "Input", "Cached", "Cache write", "Output", "Reasoning", "Cost"],
        request.Attempts.Select(attempt => (IReadOnlyList<string>)
        [
            attempt.Model, Word(attempt.Outcome) + (attempt.IsEstimated ? ", estimated" : ""), Number(attempt.InputTokens), Number(attempt.CachedInputTokens), Number(attempt.CacheWriteTokens),
            Number(attempt.OutputTokens), Number(attempt.ReasoningTokens), attempt.CostNanos is { } cost ? Amounts.Text(cost) : "no price",
        ]),
        "Nobody was asked.");

    public static void WritePrices(Terminal terminal, IReadOnlyList<PriceView> prices) => Tables.Write(
        terminal,
        ["Provider", "Model", "From", "Input", "Cached", "Cache write", "Output", "Reasoning", ""],
        prices.SelectMany(Rows),
        "No prices.");

    public static void WriteSecrets(Terminal terminal, IReadOnlyList<SecretView> secrets) => Tables.Write(
        terminal,
        ["Name", "Set", "By", "Sealed under"],
        secrets.Select(secret => (IReadOnlyList<string>)[secret.Name, Words.At(secret.SetAt), secret.SetBy, secret.KeyId]),
        "No secrets; `secret set NAME` sets one.");

    private static IEnumerable<IReadOnlyList<string>> Rows(PriceView price)
    {
        yield return Row(price, price.Rates, price.IsBuiltIn ? "built in" : "");
        if (price.Large is { } large)
            yield return Row(price, large, $"above {Number(price.LargeAboveTokens ?? 0)} tokens");
    }

    private static IReadOnlyList<string> Row(PriceView price, RatesView rates, string note) =>
    [
        price.Provider, price.Model, price.ValidFrom.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), Amounts.Text(rates.InputNanos), Amounts.Text(rates.CachedInputNanos),
        Amounts.Text(rates.CacheWriteNanos), Amounts.Text(rates.OutputNanos), Amounts.Text(rates.ReasoningNanos), note,
    ];

    private static string Optional(long nanos) => nanos == 0 ? "" : Amounts.Text(nanos);

    private static string Number(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}
