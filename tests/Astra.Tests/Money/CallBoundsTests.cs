using Astra.Kernel;
using Astra.Llm.Money;

namespace Astra.Tests.Money;

/// <summary>What a call can cost at most, and how long its answer may be.</summary>
public sealed class CallBoundsTests
{
    private static readonly ModelPrice Tiered = new(
        "p", "m", DateTimeOffset.UnixEpoch, new PerMillionTokens(Dollars(3), Dollars(0.3m), Dollars(3.75m), Dollars(15), Dollars(15)),
        new LargeInputPrice(200_000, new PerMillionTokens(Dollars(6), Dollars(0.6m), Dollars(7.5m), Dollars(22.5m), Dollars(22.5m))));

    [Fact]
    public void No_call_costs_more_than_its_worst_case_whatever_its_bytes_turn_out_to_be()
    {
        var dice = new Random(7);
        for (var i = 0; i < 20_000; i++)
        {
            var (bytes, maxTokens) = (dice.NextInt64(1, 600_000), dice.NextInt64(0, 20_000));
            var worst = CallBounds.WorstCaseOf(Tiered, new RequestSize(bytes, maxTokens, 64_000), maxTokens);
            var input = dice.NextInt64(0, bytes + 1);
            var cached = dice.NextInt64(0, input + 1);
            var written = dice.NextInt64(0, input - cached + 1);
            var output = dice.NextInt64(0, maxTokens + 1);
            Assert.True(Tiered.CostOf(new TokenUsage(input - cached - written, cached, written, output, dice.NextInt64(0, output + 1))) <= worst);
        }
    }

    [Fact]
    public void A_cost_is_exact_rounded_up_once_and_takes_the_price_of_its_size()
    {
        Assert.Equal(new Nanodollars(3_000 * 100 + 300 * 50 + 3_750 * 7 + 15_000 * 20), Tiered.CostOf(new TokenUsage(100, 50, 7, 20, 5)));
        Assert.Equal(new Nanodollars(6_000L * 200_001 + 22_500), Tiered.CostOf(new TokenUsage(200_001, 0, 0, 1, 0)));
        Assert.Equal(new Nanodollars(1), new ModelPrice("p", "m", default, PerMillionTokens.Of(new(1), new(1))).CostOf(new TokenUsage(1, 0, 0, 0, 0)));
        Assert.Equal(Nanodollars.Zero, Tiered.CostOf(TokenUsage.None));
    }

    [Fact]
    public void An_answer_is_bounded_by_what_is_left_only_when_the_client_set_no_bound()
    {
        var size = new RequestSize(1_000, null, 8_000);
        var whole = CallBounds.Bound(Tiered, size, null)!.Value;
        Assert.Equal(8_000, whole.MaxTokens);
        Assert.Equal(whole, CallBounds.Bound(Tiered, size, whole.WorstCase));

        var less = CallBounds.Bound(Tiered, size, new Nanodollars(whole.WorstCase.Value / 2))!.Value;
        Assert.InRange(less.MaxTokens, CallBounds.MaxTokensMin, 7_999);
        Assert.True(less.WorstCase.Value <= whole.WorstCase.Value / 2);
        Assert.True(CallBounds.WorstCaseOf(Tiered, size, less.MaxTokens + 1).Value > whole.WorstCase.Value / 2);

        Assert.Null(CallBounds.Bound(Tiered, size with { OutputTokens = 8_000 }, new Nanodollars(whole.WorstCase.Value - 1)));
        Assert.Null(CallBounds.Bound(Tiered, size, CallBounds.WorstCaseOf(Tiered, size, CallBounds.MaxTokensMin - 1)));
    }

    [Fact]
    public void What_does_not_fit_into_an_amount_is_more_than_any_cap()
    {
        var absurd = CallBounds.WorstCaseOf(Tiered, new RequestSize(long.MaxValue, long.MaxValue, long.MaxValue, 1_000_000), long.MaxValue);
        Assert.Equal(long.MaxValue, absurd.Value);
    }

    [Theory]
    [InlineData(0, 10, true, "zero")]
    [InlineData(10, 0, true, "zero")]
    [InlineData(0, 0, false, null)]
    [InlineData(2_001, 10, true, "million tokens")]
    [InlineData(-1, 10, true, "negative")]
    [InlineData(3, 15, true, null)]
    public void A_price_that_cannot_be_one_is_refused_with_a_sentence(int input, int output, bool isRemote, string? word)
    {
        var refusal = PriceRules.Refuse(new ModelPrice("p", "m", default, PerMillionTokens.Of(Dollars(input), Dollars(output))), isRemote);
        if (word is null)
            Assert.Null(refusal);
        else
            Assert.Contains(word, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void The_price_that_held_at_the_time_is_found_by_the_models_name_or_its_name_with_a_date()
    {
        ModelPrice Price(string provider, string model, int year, int dollars) =>
            new(provider, model, new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero), PerMillionTokens.Of(Dollars(dollars), Dollars(dollars)));
        var book = new PriceBook([Price("*", "m", 2020, 1), Price("*", "m-mini", 2020, 2), Price("*", "wrong", 2020, 5_000)], provider => provider != "home");
        book.Load([Price("a", "m", 2022, 3), Price("a", "m", 2024, 4)]);

        Assert.Equal(1, Found("b", "m", 2025));
        Assert.Equal(1, Found("b", "m-2025-01-15", 2025));
        Assert.Equal(2, Found("b", "m-mini-latest", 2025));
        Assert.Null(Found("b", "m-large", 2025));
        Assert.Equal(1, Found("a", "m", 2021));
        Assert.Equal(3, Found("a", "m", 2023));
        Assert.Equal(4, Found("a", "m", 2025));
        Assert.Null(Found("b", "m", 2019));
        Assert.Null(Found("b", "wrong", 2025));
        Assert.Equal(0, Found("home", "anything", 2025));

        int? Found(string provider, string model, int year) =>
            book.Find(provider, model, new DateTimeOffset(year, 6, 1, 0, 0, 0, TimeSpan.Zero)) is { } price ? (int)(price.Rates.Input.Value / Nanodollars.PerDollar) : null;
    }

    [Fact]
    public void Every_built_in_price_is_plausible_and_each_model_has_one() => Assert.All(BuiltInPrices.All, price =>
    {
        Assert.Null(PriceRules.Refuse(price, isRemote: true));
        Assert.Single(BuiltInPrices.All, other => other.Model == price.Model);
    });

    [Fact]
    public async Task Without_a_bound_of_the_client_the_answer_takes_what_the_caps_still_have()
    {
        var store = new InMemoryBudgets(TimeProvider.System);
        var tenant = new TenantId(Guid.NewGuid());
        var size = new RequestSize(1_000, null, 8_000);
        var cap = CallBounds.WorstCaseOf(Tiered, size, 5_000);
        await store.SetAsync(new Budget(new BudgetKey(tenant, BudgetLevel.Tenant, "", BudgetWindow.Day), cap, null, "test", default), default, TestContext.Current.CancellationToken);
        await using var ledger = new BudgetLedger(store, TimeProvider.System);

        var (outcome, call) = await CallBounds.ReserveAsync(ledger, new Spender(tenant), Tiered, size, CallBounds.Bound(Tiered, size, left: null)!.Value, TestContext.Current.CancellationToken);
        Assert.Equal(5_000, call.MaxTokens);
        Assert.Equal(cap, outcome.Reservation!.WorstCase);
        var (refused, _) = await CallBounds.ReserveAsync(ledger, new Spender(tenant), Tiered, size, CallBounds.Bound(Tiered, size, left: null)!.Value, TestContext.Current.CancellationToken);
        Assert.Contains("there is $0.000000 left until", refused.Refusal!.Sentence, StringComparison.Ordinal);
        await outcome.Reservation.DisposeAsync();
    }

    private static Nanodollars Dollars(decimal dollars) => Nanodollars.FromDollars(dollars);
}
