using System.Net;
using System.Text.Json;
using Astra.Governance;
using Astra.Hosting;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Astra.Tests.Models;
using Cash = Astra.Llm.Money;

namespace Astra.Tests.Money;

/// <summary>Budgets, usage, prices and secrets over the API, and the router that spends under them.</summary>
public sealed class MoneyApiTests(PostgresFixture postgres) : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-money-").FullName;
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _said = [];
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;
    private MoneyHost _money = null!;
    private TenantId _home;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
        _home = await _store.Tenants.EnsureAsync("default", Ct);
        _money = await MoneyHost.OpenAsync(_store, "node", _directory, null, provider => provider != "home", () => { }, _said.Enqueue, Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await _money.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Budgets_are_set_shown_and_removed_and_what_the_operator_has_set_is_not_raised_by_the_tenant()
    {
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = _store, Home = _home, Money = _money.Parts }, "node");
        var admin = await server.ClientAsync();
        var set = await admin.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Agent, Of = "ada", Window = BudgetWindow.Day, CapNanos = 5_000_000_000, DegradeAtPercent = 80, DegradeTo = "local" }, Ct);
        Assert.Equal((BudgetLevel.Agent, "ada", 5_000_000_000, 0, 80, "local"), (set.Level, set.Of, set.CapNanos, set.SpentNanos, set.DegradeAtPercent, set.DegradeTo));
        Assert.True(await _money.Ledger.MayRefuseAsync(new Cash.Spender(_home, "ada"), Ct));
        Assert.Equal([set], await admin.ListBudgetsAsync(cancellationToken: Ct));
        await admin.RemoveBudgetAsync(BudgetLevel.Agent, "ada", BudgetWindow.Day, Ct);
        Assert.False(await _money.Ledger.MayRefuseAsync(new Cash.Spender(_home, "ada"), Ct));
        await RefusedAsync(404, () => admin.RemoveBudgetAsync(BudgetLevel.Agent, "ada", BudgetWindow.Day, Ct));

        await admin.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Platform, Window = BudgetWindow.Month, CapNanos = 100 }, Ct);
        Assert.Equal(100, Assert.Single(await admin.ListBudgetsAsync(ofPlatform: true, Ct)).CapNanos);
        Assert.Empty(await admin.ListBudgetsAsync(cancellationToken: Ct));

        var acme = await server.Governance.EnsureAsync("acme", Ct);
        var tenant = await server.ClientAsync(acme);
        await admin.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Tenant, Tenant = "acme", CapNanos = 50 }, Ct);
        await RefusedAsync(403, () => tenant.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Tenant, CapNanos = 51 }, Ct));
        await RefusedAsync(403, () => tenant.RemoveBudgetAsync(BudgetLevel.Tenant, null, BudgetWindow.Total, Ct));
        await RefusedAsync(403, () => tenant.ListBudgetsAsync(ofPlatform: true, Ct));
        Assert.Equal(0, (await tenant.ForgiveBudgetAsync(new BudgetForgiveRequest(BudgetLevel.Tenant), Ct)).ForgivenNanos);
        foreach (var wrong in (BudgetRequest[])
            [
                new() { Level = BudgetLevel.Agent, CapNanos = 1 }, new() { Level = BudgetLevel.Goal, Of = "no id", CapNanos = 1 }, new() { Level = BudgetLevel.Tenant, Of = "x", CapNanos = 1 },
                new() { Level = BudgetLevel.Tenant, CapNanos = -1 }, new() { Level = BudgetLevel.Tenant, CapNanos = long.MaxValue }, new() { Level = BudgetLevel.Tenant, CapNanos = 1, DegradeTo = "local" },
            ])
            await RefusedAsync(422, () => tenant.SetBudgetAsync(wrong, Ct));
        var member = await server.ClientAsync(acme, Role.Member);
        await RefusedAsync(403, () => member.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Tenant, CapNanos = 1 }, Ct));
        Assert.Single(await member.ListBudgetsAsync(cancellationToken: Ct));
    }

    [Fact]
    public async Task A_secret_goes_in_over_the_API_and_comes_out_nowhere()
    {
        const string Value = "sk-planted-in-a-test";
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = _store, Home = _home, Money = _money.Parts }, "node");
        var admin = await server.ClientAsync();
        await admin.SetSecretAsync("openai-key", Value, Ct);
        Assert.Equal(Value, await _money.Secrets.FindAsync(_home, "openai-key", Ct));
        var raw = await server.RawAsync();
        foreach (var path in (string[])["/api/v1/secrets", "/api/v1/secrets/openai-key", "/metrics", "/openapi.json"])
            Assert.DoesNotContain(Value, await (await raw.GetAsync(path, Ct)).Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal("openai-key", Assert.Single(await admin.ListSecretsAsync(Ct)).Name);
        Assert.Empty(await (await server.ClientAsync(new TenantId(Guid.NewGuid()))).ListSecretsAsync(Ct));
        await RefusedAsync(422, () => admin.SetSecretAsync("no name", Value, Ct));
        var member = await server.ClientAsync(role: Role.Member);
        await RefusedAsync(403, () => member.ListSecretsAsync(Ct));
        await admin.RemoveSecretAsync("openai-key", Ct);
        await RefusedAsync(404, () => admin.RemoveSecretAsync("openai-key", Ct));
        Assert.DoesNotContain(_said, line => line.Contains(Value, StringComparison.Ordinal));
        Assert.DoesNotContain(Value, new SecretRequest(Value).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_price_that_is_set_holds_at_once_and_one_that_cannot_be_is_refused()
    {
        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = _store, Home = _home, Money = _money.Parts }, "node");
        var admin = await server.ClientAsync();
        var rates = new RatesView(1_000_000_000, 100_000_000, 1_250_000_000, 8_000_000_000, 8_000_000_000);
        var from = new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero);
        await admin.SetPriceAsync(new PriceView("acme-ai", "model-z", from, rates), Ct);
        Assert.Equal(8_000_000_000, _money.Prices.Find("acme-ai", "model-z", from)!.Rates.Output.Value);
        Assert.Null(_money.Prices.Find("acme-ai", "model-z", from.AddTicks(-1)));
        await RefusedAsync(409, () => admin.SetPriceAsync(new PriceView("acme-ai", "model-z", from, rates with { InputNanos = 2_000_000_000 }), Ct));
        await RefusedAsync(422, () => admin.SetPriceAsync(new PriceView("acme-ai", "model-z", from.AddDays(1), rates with { OutputNanos = 0 }), Ct));
        await RefusedAsync(422, () => admin.SetPriceAsync(new PriceView("acme-ai", "model-z", from.AddDays(1), rates, 200_000), Ct));
        await admin.SetPriceAsync(new PriceView("home", "model-z", from, new RatesView(0, 0, 0, 0, 0)), Ct);
        var prices = await admin.ListPricesAsync(Ct);
        Assert.Equal(("acme-ai", false, true), (prices[0].Provider, prices[0].IsBuiltIn, prices[^1].IsBuiltIn));
        await RefusedAsync(403, async () => await (await server.ClientAsync(new TenantId(Guid.NewGuid()))).SetPriceAsync(new PriceView("p", "m", from, rates), Ct));
    }

    [Fact]
    public async Task Through_the_router_256_parallel_requests_spend_no_more_than_the_cap_and_each_answer_is_written_down()
    {
        var price = new Cash.PriceBook([new Cash.ModelPrice("*", "m1", DateTimeOffset.UnixEpoch, Cash.PerMillionTokens.Of(new(1_000_000_000), new(1_000_000_000)))], _ => true);
        await using var world = await ModelWorld.StartAsync(_money.Ledger, price);
        await world.ConfigureAsync(world.Provider());
        var tenant = world.Server.Home;
        var cap = 20 * 1_300_000L;
        await _store.Budgets.SetAsync(new Cash.Budget(new Cash.BudgetKey(tenant, Cash.BudgetLevel.Tenant, "", Cash.BudgetWindow.Total), new Cash.Nanodollars(cap), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await _money.Ledger.RefreshAsync(Ct);

        var answers = await Task.WhenAll(Enumerable.Range(0, 256).Select(_ => world.ChatAsync(extra: ",\"max_tokens\":100")));
        var (made, refused) = (answers.Where(answer => answer.Status == HttpStatusCode.OK).ToList(), answers.Where(answer => answer.Status != HttpStatusCode.OK).ToList());
        Assert.NotEmpty(made);
        Assert.All(refused, answer => Assert.Equal(
            (HttpStatusCode.TooManyRequests, "insufficient_quota", "budget_exceeded", "false"),
            (answer.Status, answer.Error.GetProperty("type").GetString(), answer.Error.GetProperty("code").GetString(), answer.Headers["x-should-retry"])));
        await _money.Ledger.FlushAsync(Ct);
        var standing = Assert.Single(await _store.Budgets.ListAsync(tenant, DateTimeOffset.UtcNow, Ct));
        Assert.Equal((world.Usage.Records.Sum(record => record.Cost!.Value.Value), 0L, 0L), (standing.Spent.Value, standing.Held.Value, standing.Lost.Value));
        Assert.InRange(standing.Spent.Value, 1, cap);
        Assert.Equal(made.Count, world.Usage.Records.Count);

        await RefusesAsync(world, new Cash.Budget(new Cash.BudgetKey(tenant, Cash.BudgetLevel.Tenant, "", Cash.BudgetWindow.Total), Cash.Nanodollars.Zero, null, "test", DateTimeOffset.UtcNow));
    }

    [Fact]
    public async Task A_threshold_is_a_message_for_hooks_a_line_of_the_log_and_a_metric()
    {
        var key = new Cash.BudgetKey(_home, Cash.BudgetLevel.Agent, "ada", Cash.BudgetWindow.Total);
        await _store.Budgets.SetAsync(new Cash.Budget(key, new Cash.Nanodollars(100), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);
        await (await _money.Ledger.ReserveAsync(new Cash.Spender(_home, "ada"), new Cash.Nanodollars(85), Ct)).Reservation!.SettleAsync(new Cash.Nanodollars(85));
        await _money.Ledger.FlushAsync(Ct);

        var told = Assert.Single(await _store.Hooks.ListEventsAsync(_home, 0, 10, Ct));
        Assert.Equal(HookKinds.BudgetThreshold, told.Kind);
        var data = AstraJson.Read<BudgetThresholdData>(AstraJson.Read<FailureEventView>(told.Body.Span).Data);
        Assert.Equal((BudgetLevel.Agent, "ada", 80, 100L, 85L), (data.Level, data.Of, data.Percent, data.CapNanos, data.SpentNanos));
        Assert.Contains(_said, line => line.StartsWith("80 % of the budget of agent ada", StringComparison.Ordinal));

        await using var server = await ServerFixture.StartAsync(new ServerWorld { Postgres = _store, Home = _home, Money = _money.Parts }, "node");
        await _money.Usage.WriteAsync(
            new Cash.UsageRecord(
                Guid.NewGuid(), Guid.NewGuid(), DateTimeOffset.UtcNow, new Cash.Spender(_home, "ada"), "p", "m1", Cash.AttemptOutcome.Completed, new Cash.TokenUsage(10, 0, 0, 5, 1),
                Cash.UsageSource.Reported, new Cash.Nanodollars(7), null, TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100)), Ct);
        var metrics = PrometheusReader.Read(await (await server.RawAsync()).GetStringAsync("/metrics", Ct));
        Assert.Equal(1, metrics["astra_budget_alerts_total"].Value(("percent", "80")));
        Assert.Equal(10, metrics["astra_model_tokens_total"].Value(("gen_ai_provider_name", "p"), ("gen_ai_request_model", "m1"), ("gen_ai_token_type", "input")));
        Assert.Equal(7, metrics["astra_model_cost_nanodollars_total"].Value(("gen_ai_provider_name", "p"), ("gen_ai_request_model", "m1")));
    }

    private async Task RefusesAsync(ModelWorld world, Cash.Budget nothing)
    {
        await _store.Budgets.SetAsync(nothing, DateTimeOffset.UtcNow, Ct);
        await _money.Ledger.RefreshAsync(Ct);
        Assert.Equal("budget_exceeded", (await world.ChatAsync()).Error.GetProperty("code").GetString());
    }

    private static async Task RefusedAsync(int status, Func<Task> ask)
    {
        var refusal = await Assert.ThrowsAsync<AstraException>(ask);
        Assert.True(refusal.Status == status, $"{refusal.Status}: {refusal.Message}");
        Assert.EndsWith(".", refusal.Message, StringComparison.Ordinal);
    }
}
