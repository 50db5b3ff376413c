using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Astra.Sdk;
using Astra.Tests.Durability;
using Astra.Tests.Models;

namespace Astra.Tests.EndToEnd;

/// <summary>
/// Real servers on one database, all with one scripted provider, whose model costs nothing to read and a hundredth of a cent for ten
/// tokens: what a call may cost and what it came to is known to the nano-dollar.
/// </summary>
internal sealed class ModelServers : IAsyncDisposable
{
    /// <summary>What a call costs whose answer is as long as it may be.</summary>
    public const long CallNanos = 1_000_000;

    public const int TokensMax = 100;

    private const long NanosPerToken = CallNanos / TokensMax;

    private readonly AstraMachine _machine;
    private readonly TestDatabase _database;
    private readonly string _config;
    private readonly string[] _options;
    private readonly List<HttpClient> _http = [];
    private readonly List<AstraProcess> _processes = [];
    private AstraClient? _client;

    public ModelServers(AstraMachine machine, TestDatabase database, Func<ModelRequest, ModelScript> answer, params string[] options)
    {
        (_machine, _database, _options) = (machine, database, options);
        Provider = new ScriptedModels(answer);
        _config = machine.Write("models.json", $$"""{"providers":[{"name":"box","kind":"openai","baseUrl":"{{Provider.Root}}/v1","models":[{"id":"m1"}]}]}""");
    }

    public ScriptedModels Provider { get; }

    /// <summary>Of the first server; any other would do.</summary>
    public AstraClient Client => _client!;

    public int Count => _http.Count;

    /// <summary>A whole answer of so many tokens, as the provider counts them.</summary>
    public static ModelScript Answer(int tokens, Task? gate = null)
    {
        var whole = ModelScript.Whole(200, $$$"""{"id":"c1","object":"chat.completion","created":1,"model":"m1","choices":[{"index":0,"message":{"role":"assistant","content":"so"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":{{{tokens}}},"total_tokens":{{{tokens + 7}}}}}""");
        return gate is null ? whole : new ModelScript([new Until(gate), .. whole.Steps]);
    }

    public static long CostOf(int tokens) => tokens * NanosPerToken;

    /// <summary>The data directories are server-0, server-1 …; one that has a server already gets another process.</summary>
    public async Task StartAsync(params int[] places)
    {
        await Task.WhenAll(places.Select(async place =>
        {
            var data = _machine.DataOf($"server-{place}");
            var process = await _machine.ServeAsync(data, ["--database", _database.Address, "--models", _config, "--no-local-models", .. _options]);
            var file = await Eventually.SeeAsync($"a server on {data.Path}", () => Task.FromResult(data.ReadServerFile()));
            lock (_http)
            {
                while (_http.Count <= place)
                {
                    _http.Add(null!);
                    _processes.Add(null!);
                }
                (_http[place], _processes[place]) = (new HttpClient { BaseAddress = file.Address, Timeout = TimeSpan.FromMinutes(1) }, process);
            }
        }));
        var key = _machine.DataOf("server-0").ReadAdminKey()!;
        foreach (var http in _http.Where(http => http is not null))
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        if (_client is not null)
            return;
        _client = await AstraMachine.ClientAsync(_machine.DataOf("server-0"));
        await _client.SetPriceAsync(new PriceView("box", "m1", DateTimeOffset.UnixEpoch, new RatesView(0, 0, 0, 1_000_000 * NanosPerToken, 1_000_000 * NanosPerToken)), Ct);
        await SeesThePriceAsync();
    }

    public async Task StopAsync(int place)
    {
        await _machine.StartOn(_machine.DataOf($"server-{place}"), "down").EndsWithAsync(0);
        await _processes[place].EndsWithAsync(0);
    }

    public Task KillAsync(int place) => _processes[place].KillAsync();

    /// <summary>Asks a server; null when it died meanwhile. The provider finds the goal in the words of the request.</summary>
    public async Task<HttpStatusCode?> AskAsync(int place, Guid goal, string extra = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent($$"""{"model":"box/m1","max_tokens":{{TokensMax}},"messages":[{"role":"user","content":"{{goal}}"}]{{extra}}}""", Encoding.UTF8, "application/json"),
        };
        request.Headers.Add("x-astra-goal", goal.ToString());
        try
        {
            using var answer = await _http[place].SendAsync(request, Ct);
            var text = await answer.Content.ReadAsStringAsync(Ct);
            if (answer.StatusCode == HttpStatusCode.TooManyRequests)
            {
                Assert.Contains("budget_exceeded", text, StringComparison.Ordinal);
                Assert.Equal("false", Assert.Single(answer.Headers.GetValues("x-should-retry")));
            }
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>A cap in total for a goal of its own, set at the first server.</summary>
    public async Task<Guid> NewGoalAsync(long capNanos)
    {
        var goal = Guid.NewGuid();
        await Client.SetBudgetAsync(new BudgetRequest { Level = BudgetLevel.Goal, Of = goal.ToString(), Window = BudgetWindow.Total, CapNanos = capNanos }, Ct);
        return goal;
    }

    public async Task<BudgetView> BudgetOfAsync(Guid goal) => (await Client.ListBudgetsAsync(cancellationToken: Ct)).Single(budget => budget.Of == goal.ToString());

    /// <summary>By itself, without anybody asking for it.</summary>
    public async Task<BudgetView> AtRestAsync(Guid goal, Func<BudgetView, bool>? isSo = null) => await Eventually.SeeAsync(
        $"nothing of the budget of {goal} is held",
        async () => await BudgetOfAsync(goal) is { HeldNanos: 0 } view && isSo?.Invoke(view) != false ? view : null,
        () => $"{BudgetOfAsync(goal).Result}");

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        foreach (var http in _http)
            http?.Dispose();
        await Provider.DisposeAsync();
    }

    private async Task SeesThePriceAsync() =>
        Assert.Contains(await Client.ListPricesAsync(Ct), price => price is { Provider: "box", Model: "m1" });

    private static CancellationToken Ct => TestContext.Current.CancellationToken;
}
