using System.Net;
using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Tests.EndToEnd;
using Astra.Tests.Models;

namespace Astra.Tests.Money;

/// <summary>Requests through the router, a scripted provider behind it, and what is paid for them.</summary>
public sealed class PaidCallTests : IAsyncLifetime
{
    // Different figures, so that one that is taken for another shows.
    private static readonly PerMillionTokens Rates = new(Dollars(2), Dollars(0.5m), Dollars(3), Dollars(10), Dollars(40));
    private static readonly PerMillionTokens LargeRates = new(Dollars(4), Dollars(1), Dollars(6), Dollars(20), Dollars(80));

    private readonly InMemoryBudgets _store = new(TimeProvider.System);
    private BudgetLedger _ledger = null!;
    private ModelWorld _world = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _ledger = new BudgetLedger(_store, TimeProvider.System);
        var prices = new PriceBook([new ModelPrice("*", "m1", DateTimeOffset.UnixEpoch, Rates, new LargeInputPrice(100_000, LargeRates))], _ => true);
        _world = await ModelWorld.StartAsync(_ledger, prices);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        await _ledger.DisposeAsync();
    }

    [Fact]
    public async Task An_answer_says_in_its_headers_what_it_came_to_with_each_kind_of_token_at_its_price()
    {
        await _world.ConfigureAsync(_world.Provider(_ => Answered("""{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":30},"completion_tokens_details":{"reasoning_tokens":20}}""")));
        var answer = await _world.ChatAsync();
        Assert.Equal(("100", "50"), (answer.Headers["x-astra-input-tokens"], answer.Headers["x-astra-output-tokens"]));
        // 70 read, 30 from the cache, 30 said, 20 thought.
        const long Cost = 70 * 2_000 + 30 * 500 + 30 * 10_000 + 20 * 40_000;
        Assert.Equal($"{Cost}", answer.Headers["x-astra-cost-nanos"]);
        var record = await RecordAsync();
        Assert.Equal((new TokenUsage(70, 30, 0, 50, 20), Cost, UsageSource.Reported, "chat"), (record.Usage, record.Cost!.Value.Value, record.Source, record.Operation));
        Assert.Contains("\"cached_tokens\":30", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_written_to_a_cache_and_what_is_large_costs_what_that_costs()
    {
        await _world.ConfigureAsync(ProviderKind.Anthropic, config => config, _world.Provider(_ => ModelScript.Whole(
            200, """{"id":"msg_1","type":"message","role":"assistant","model":"m1","content":[{"type":"text","text":"so"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":10,"cache_read_input_tokens":60000,"cache_creation_input_tokens":50000}}""")));
        var answer = await _world.PostAsync("/v1/messages", """{"model":"r","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}""");
        // 111,000 tokens are a large input.
        Assert.Equal($"{1_000 * 4_000L + 60_000 * 1_000L + 50_000 * 6_000L + 10 * 20_000L}", answer.Headers["x-astra-cost-nanos"]);
    }

    [Fact]
    public async Task A_zero_that_the_provider_says_is_a_value()
    {
        await _world.ConfigureAsync(_world.Provider(_ => Answered("""{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}""")));
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1));
        Assert.Equal("0", (await _world.ChatAsync()).Headers["x-astra-cost-nanos"]);
        var record = await RecordAsync();
        Assert.Equal((TokenUsage.None, UsageSource.Reported, Nanodollars.Zero), (record.Usage, record.Source, record.Cost));
        Assert.Equal(0, (await StandingAsync()).Spent.Value);
    }

    [Fact]
    public async Task A_model_whose_price_nobody_knows_is_refused_under_a_cap_and_answered_without_one()
    {
        var provider = new ProviderConfig("a", ProviderKind.OpenAi, $"{_world.Provider().Root}/v1") { Models = [new ModelEntry("unheard-of")] };
        await _world.Desk.ChangeAsync(config => config with { Providers = [provider] }, Ct);
        var free = await _world.ChatAsync("unheard-of");
        Assert.Equal(HttpStatusCode.OK, free.Status);
        Assert.DoesNotContain("x-astra-cost-nanos", free.Headers.Keys);
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1));
        var refused = await _world.ChatAsync("unheard-of");
        Assert.Equal((HttpStatusCode.TooManyRequests, "price_unknown", "false"), (refused.Status, refused.Error.GetProperty("code").GetString(), refused.Headers["x-should-retry"]));
    }

    [Theory]
    [InlineData(BudgetLevel.Platform)]
    [InlineData(BudgetLevel.Tenant)]
    [InlineData(BudgetLevel.Agent)]
    [InlineData(BudgetLevel.Goal)]
    [InlineData(BudgetLevel.Task)]
    [InlineData(BudgetLevel.Key)]
    public async Task A_budget_of_each_level_refuses_what_does_not_fit_and_says_whose_it_is(BudgetLevel level)
    {
        var (goal, task) = (Guid.NewGuid(), Guid.NewGuid());
        var provider = _world.Provider();
        await _world.ConfigureAsync(provider);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync()).Status);
        var spender = (await RecordAsync()).Spender;
        Assert.Equal(("ada", goal, task), (spender.Agent, spender.Goal!.Value.Value, spender.Task!.Value.Value));

        await SetAsync(level, level switch { BudgetLevel.Agent => "ada", BudgetLevel.Goal => $"{goal}", BudgetLevel.Task => $"{task}", BudgetLevel.Key => $"{spender.Key}", _ => "" }, new Nanodollars(1_000));
        var refused = await AskAsync();
        Assert.Equal(
            (HttpStatusCode.TooManyRequests, "insufficient_quota", "budget_exceeded", "false"),
            (refused.Status, refused.Error.GetProperty("type").GetString(), refused.Error.GetProperty("code").GetString(), refused.Headers["x-should-retry"]));
        Assert.Contains($"the budget of {(level is BudgetLevel.Platform or BudgetLevel.Tenant ? "the " : level == BudgetLevel.Key ? "API " : "")}{level.ToString().ToLowerInvariant()}", refused.Error.GetProperty("message").GetString()!, StringComparison.Ordinal);
        Assert.Single(provider.Seen);

        Task<ModelAnswer> AskAsync() => _world.PostAsync(
            "/v1/chat/completions", """{"model":"r","messages":[]}""", ("x-astra-agent", "ada"), ("x-astra-goal", $"{goal}"), ("x-astra-task", $"{task}"));
    }

    [Fact]
    public async Task Who_leaves_in_the_middle_pays_for_all_that_was_sent_and_for_what_was_delivered()
    {
        var provider = _world.Provider(_ => ModelScript.Stream([.. Enumerable.Range(0, 10).Select(i => ModelScript.Chunk(ModelScript.Delta($"word{i} "))), new Hang()]));
        await _world.ConfigureAsync(provider);
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1));
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"r","stream":true,"messages":[]}""") })
        using (var response = await _world.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Ct)))
        {
            while (await reader.ReadLineAsync(Ct) is { } line && !line.Contains("word9", StringComparison.Ordinal))
            {
            }
        }
        var record = await RecordAsync();
        Assert.Equal((AttemptOutcome.Abandoned, UsageSource.Estimated), (record.Outcome, record.Source));
        // No provider counts more tokens than there were bytes.
        Assert.Equal("""{"model":"r","stream":true,"messages":[]}""".Length, record.Usage.Input);
        Assert.InRange(record.Usage.Output, 10, 30);
        var standing = await StandingAsync();
        Assert.Equal((record.Cost!.Value, Nanodollars.Zero), (standing.Spent, standing.Held));
    }

    [Fact]
    public async Task From_the_part_that_its_policy_names_on_a_budget_sends_requests_to_the_cheaper_tier()
    {
        var (dear, cheap) = (_world.Provider(), _world.Provider());
        await _world.ConfigureAsync(config => config with { Models = [new ModelEntry("m1", config.Name == "a" ? Tier.Premium : Tier.Standard)] }, [$"{dear.Root}/v1", $"{cheap.Root}/v1"]);
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1), new Degradation(50, "standard"));
        var first = await _world.ChatAsync("a/m1");
        Assert.Equal(("a/m1", false), (first.Headers["x-astra-model"], first.Headers.ContainsKey("x-astra-degraded")));

        await (await _ledger.ReserveAsync(new Spender(_world.Server.Home), Dollars(0.6m), Ct)).Reservation!.SettleAsync(Dollars(0.6m));
        await _ledger.FlushAsync(Ct);
        var second = await _world.ChatAsync("a/m1");
        Assert.Equal(("b/m1", "standard"), (second.Headers["x-astra-model"], second.Headers["x-astra-degraded"]));
        // What is there already stays, and embeddings of another model would be of no use.
        Assert.DoesNotContain("x-astra-degraded", (await _world.ChatAsync("b/m1")).Headers.Keys);
        await _world.PostAsync("/v1/embeddings", """{"model":"a/m1","input":"hi"}""");
        Assert.Equal("/v1/embeddings", dear.Seen.Last().Path);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "\"max_output_tokens\":1,\"messages\":[]")]
    [InlineData("/v1/chat/completions", "\"messages\":[]")]
    public async Task Under_a_cap_an_answer_has_a_bound_that_its_provider_knows(string path, string rest)
    {
        var provider = _world.Provider();
        await _world.ConfigureAsync(provider);
        await SetAsync(BudgetLevel.Tenant, "", Dollars(0.05m));
        Assert.Equal(HttpStatusCode.OK, (await _world.PostAsync(path, $"{{\"model\":\"r\",{rest}}}")).Status);
        // $0.05 pays for the input at most, and for so many tokens at $40 a million.
        Assert.InRange(provider.Seen.Single().Json.GetProperty("max_tokens").GetInt64(), 256, 1_250);
    }

    [Fact]
    public async Task What_nobody_could_pay_is_refused_and_no_error_of_the_server()
    {
        await _world.ConfigureAsync(_world.Provider());
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1_000_000));
        var answer = await _world.ChatAsync(extra: $",\"max_tokens\":{long.MaxValue},\"n\":100");
        Assert.Equal((HttpStatusCode.TooManyRequests, "budget_exceeded"), (answer.Status, answer.Error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_conversation_that_the_provider_keeps_is_reserved_for_as_if_it_were_as_long_as_any()
    {
        var provider = _world.Provider();
        await _world.ConfigureAsync(ProviderKind.OpenAi, config => config with { Responses = true }, provider);
        await SetAsync(BudgetLevel.Tenant, "", Dollars(1));
        var refused = await _world.PostAsync("/v1/responses", """{"model":"r","input":"on","max_output_tokens":5,"previous_response_id":"resp_1"}""");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.Empty(provider.Seen);
    }

    private static Nanodollars Dollars(decimal dollars) => Nanodollars.FromDollars(dollars);

    private static ModelScript Answered(string usage) => ModelScript.Whole(
        200, $$$"""{"id":"c1","object":"chat.completion","created":1,"model":"m1","choices":[{"index":0,"message":{"role":"assistant","content":"so"},"finish_reason":"stop"}],"usage":{{{usage}}}}""");

    private async Task SetAsync(BudgetLevel level, string of, Nanodollars cap, Degradation? degrade = null)
    {
        var key = new BudgetKey(level == BudgetLevel.Platform ? BudgetKey.Platform : _world.Server.Home, level, of, BudgetWindow.Total);
        await _store.SetAsync(new Budget(key, cap, degrade, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _ledger.RefreshAsync(Ct);
    }

    private Task<UsageRecord> RecordAsync() => Eventually.SeeAsync("the record of the attempt", () => Task.FromResult(_world.Usage.First));

    private async Task<BudgetStanding> StandingAsync()
    {
        await _ledger.FlushAsync(Ct);
        return Assert.Single(await _store.ListAsync(_world.Server.Home, DateTimeOffset.UtcNow, Ct));
    }
}
