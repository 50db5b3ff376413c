using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Astra.Governance;
using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Sdk;
using Astra.Tests.EndToEnd;
using BudgetLevel = Astra.Llm.Money.BudgetLevel;
using BudgetWindow = Astra.Llm.Money.BudgetWindow;

namespace Astra.Tests.Models;

/// <summary>Who is asked, who may be asked, and what a configuration may say.</summary>
public sealed class RoutingTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_that_takes_longer_than_95_of_100_is_asked_elsewhere_too_and_the_quicker_answer_counts()
    {
        await using var world = await ModelWorld.StartAsync();
        var isSlow = false;
        var first = world.Provider(_ => Volatile.Read(ref isSlow) ? new ModelScript([new Hang()]) : ModelScript.ChatStream("first"));
        var second = world.Provider(_ => ModelScript.ChatStream("second"));
        await world.ConfigureAsync(first, second);
        for (var i = 0; i < 45; i++)
            await world.ChatAsync(isStream: true);
        // Only now: a few of those may have taken long, and would have used up what 45 requests allow.
        await world.Desk.ChangeAsync(config => config with { Routes = [config.Routes[0] with { Hedge = true }] }, Ct);
        var before = second.Seen.Count;
        Volatile.Write(ref isSlow, true);
        Assert.Equal("second", (await world.ChatAsync(isStream: true)).Words);
        Assert.Equal(before + 1, second.Seen.Count);
        // The slower one is broken off, and written down.
        Assert.Contains(world.Usage.Records, record => record is { Outcome: AttemptOutcome.Overtaken, Provider: "a" });
        await Eventually.SeeAsync("the end at the slower provider", () => Task.FromResult(first.BrokenOff > 0 ? "" : null));
    }

    [Fact]
    public async Task Of_a_hundred_requests_at_most_five_are_asked_twice()
    {
        await using var world = await ModelWorld.StartAsync();
        var count = 0;
        var first = world.Provider(_ => Interlocked.Increment(ref count) > 55 ? ModelScript.Stream(new Until(Task.Delay(2_000)), ModelScript.Chunk(ModelScript.Delta("late")), ModelScript.Chunk(ModelScript.Finish), ModelScript.Chunk(ModelScript.Done), ModelScript.LastChunk) : ModelScript.ChatStream("first"));
        var second = world.Provider(_ => ModelScript.ChatStream("second"));
        await world.ConfigureAsync(first, second);
        await world.Desk.ChangeAsync(config => config with { Routes = [config.Routes[0] with { Hedge = true }] }, Ct);
        for (var i = 0; i < 60; i++)
            await world.ChatAsync(isStream: true);
        Assert.InRange(second.Seen.Count, 1, 3);
    }

    [Fact]
    public async Task The_quicker_of_two_gets_the_requests_of_a_route_that_goes_by_latency()
    {
        await using var world = await ModelWorld.StartAsync();
        var slow = world.Provider(_ => new ModelScript([new Until(Task.Delay(1_000)), .. ModelScript.Chat("slow").Steps]));
        var quick = world.Provider();
        await world.ConfigureAsync(slow, quick);
        await world.Desk.ChangeAsync(config => config with { Routes = [config.Routes[0] with { Balance = Balance.Latency }] }, Ct);
        for (var i = 0; i < 20; i++)
            await world.ChatAsync();
        Assert.True(quick.Seen.Count > 3 * slow.Seen.Count, $"{quick.Seen.Count} to {slow.Seen.Count}");
    }

    [Fact]
    public async Task A_tenants_provider_is_its_own_and_reaches_no_address_of_this_machine()
    {
        await using var world = await ModelWorld.StartAsync();
        var inside = world.Provider();
        var tenant = new TenantId(Guid.NewGuid());
        var other = await world.Server.ClientAsync(tenant);
        var plain = await Assert.ThrowsAsync<AstraException>(() => other.SetProviderAsync("mine", new ProviderRequest(ProviderProtocol.Openai, $"{inside.Root}/v1", [new ModelSpec("m9")]), Ct));
        Assert.Contains("https", plain.Message, StringComparison.Ordinal);
        await other.SetProviderAsync("mine", new ProviderRequest(ProviderProtocol.Openai, $"https://127.0.0.1:{inside.Port}/v1", [new ModelSpec("m9")]), Ct);
        world.Http.DefaultRequestHeaders.Authorization = new("Bearer", await world.Server.NewKeyAsync(tenant, Role.Member));
        var refused = await world.ChatAsync("mine/m9");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Equal("provider_forbidden", refused.Error.GetProperty("code").GetString());
        Assert.Empty(inside.Seen);
        world.Http.DefaultRequestHeaders.Authorization = new("Bearer", world.Key);
        Assert.Equal(HttpStatusCode.NotFound, (await world.ChatAsync("mine/m9")).Status);
    }

    [Fact]
    public async Task A_member_changes_no_models()
    {
        await using var world = await ModelWorld.StartAsync();
        var member = await world.Server.ClientAsync(role: Role.Member);
        var refused = await Assert.ThrowsAsync<AstraException>(() => member.SetRouteAsync("w", new RouteRequest(["a/m1"]), Ct));
        Assert.Equal(403, refused.Status);
    }

    [Fact]
    public async Task A_wrong_configuration_is_refused_and_what_held_goes_on()
    {
        await using var world = await ModelWorld.StartAsync();
        await world.ConfigureAsync(world.Provider());
        var client = await world.Server.ClientAsync();
        var refused = await Assert.ThrowsAsync<AstraException>(() => client.SetRouteAsync("w", new RouteRequest(["nobody/nothing"]), Ct));
        Assert.Contains("nobody/nothing", refused.Message, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync()).Status);
    }

    [Fact]
    public async Task A_server_on_this_machine_is_found_by_itself_and_says_where_its_models_run()
    {
        await using var ollama = new ScriptedModels(request => request.Path switch
        {
            "/api/tags" => ModelScript.Whole(200, """{"models":[{"name":"llama3:8b"}]}"""),
            "/api/ps" => ModelScript.Whole(200, """{"models":[{"name":"llama3:8b","size":5,"size_vram":0}]}"""),
            _ => ModelScript.Chat("from here"),
        });
        await using var world = await ModelWorld.StartAsync(local: new LocalServers([("ollama", ProviderKind.Ollama, ollama.Port), ("nobody", ProviderKind.OpenAi, HttpReceiver.FreePort())]));
        var client = await world.Server.ClientAsync();
        var found = Assert.Single((await client.ListModelsAsync(Ct)).Providers);
        Assert.Equal(("ollama", true, "cpu"), (found.Name, found.IsFound, found.InferenceBackend));
        Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync("local")).Status);
        Assert.True(Assert.Single(await client.TestModelsAsync(null, Ct)).Ok);
    }

    [Fact]
    public async Task Without_any_model_a_request_is_told_what_to_do()
    {
        await using var world = await ModelWorld.StartAsync();
        var answer = await world.ChatAsync("auto");
        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
        Assert.Contains("astra model add", answer.Error.GetProperty("message").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Under_a_budget_the_worst_case_is_held_and_a_refusal_is_one_that_clients_do_not_repeat()
    {
        var budgets = new OneCap(new Nanodollars(100_000_000));
        var price = new PerMillionTokens(Nanodollars.FromDollars(1), Nanodollars.FromDollars(1), Nanodollars.FromDollars(1), Nanodollars.FromDollars(10), Nanodollars.FromDollars(10));
        await using var world = await ModelWorld.StartAsync(budgets, new OnePrice(price));
        var provider = world.Provider();
        await world.ConfigureAsync(provider);
        Assert.Equal(HttpStatusCode.OK, (await world.ChatAsync()).Status);
        // The client set no bound; what is left does.
        Assert.InRange(JsonElement.Parse(provider.Seen.Single().Body).GetProperty("max_tokens").GetInt64(), 1, 8192);
        // It is settled behind the answer's end.
        await Eventually.HoldsAsync("a settlement", () => Task.FromResult(!budgets.Settled.IsEmpty));
        Assert.Equal(new Nanodollars(11 * 1_000 + 2 * 10_000), budgets.Settled.Single());
        var refused = await world.ChatAsync(extra: ",\"max_tokens\":100000000");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.Equal("insufficient_quota", refused.Error.GetProperty("type").GetString());
        Assert.Equal("budget_exceeded", refused.Error.GetProperty("code").GetString());
        Assert.Equal("false", refused.Headers["x-should-retry"]);
        Assert.Single(provider.Seen);
    }

    private sealed class OnePrice(PerMillionTokens rates) : IPrices
    {
        public ModelPrice? Find(string provider, string model, DateTimeOffset at) => new(provider, model, DateTimeOffset.UnixEpoch, rates);
    }

    /// <summary>As much of a budget as the router can see of one.</summary>
    private sealed class OneCap(Nanodollars cap) : IBudgets
    {
        public ConcurrentQueue<Nanodollars> Settled { get; } = [];

        public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult(true);

        public ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult<Nanodollars?>(cap);

        public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken) => ValueTask.FromResult<ReserveOutcome>(
            worstCase <= cap ? new Held(this, worstCase) : new BudgetRefusal(BudgetLevel.Tenant, "t", BudgetWindow.Day, cap, cap, worstCase));

        private sealed class Held(OneCap budget, Nanodollars worstCase) : Reservation(worstCase)
        {
            protected override ValueTask EndAsync(Nanodollars actual)
            {
                budget.Settled.Enqueue(actual);
                return default;
            }
        }
    }
}
