using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Astra.Hosting;
using Astra.Kernel;
using Astra.Llm;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Llm.Recording;
using Astra.Sdk;
using Astra.Tests.Api;

namespace Astra.Tests.Models;

/// <summary>A whole server with scripted providers behind its router, and everything that the router hands to others kept for looking at.</summary>
internal sealed class ModelWorld : IAsyncDisposable
{
    private readonly List<ScriptedModels> _providers = [];

    private readonly string _directory;

    private ModelWorld(string directory, ModelDesk desk, ServerFixture server, HttpClient http, string key, KeptUsage usage, KnownKeys keys, List<string> said) =>
        (_directory, Desk, Server, Http, Key, Usage, Keys, Said) = (directory, desk, server, http, key, usage, keys, said);

    public ModelDesk Desk { get; }
    public ServerFixture Server { get; }
    public HttpClient Http { get; }
    public string Key { get; }
    public KeptUsage Usage { get; }
    public KnownKeys Keys { get; }
    public List<string> Said { get; }
    public required Recorder Recorder { get; init; }
    public required KeptRecordings Recordings { get; init; }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>What a million tokens of m1 cost, of whichever kind and whoever offers it.</summary>
    public static PriceBook ADollarPerMillion()
    {
        var dollar = Nanodollars.FromDollars(1);
        return new PriceBook([new ModelPrice("*", "m1", DateTimeOffset.UnixEpoch, new PerMillionTokens(dollar, dollar, dollar, dollar, dollar), null)], _ => true);
    }

    public static async Task<ModelWorld> StartAsync(
        IBudgets? budgets = null, IPrices? prices = null, LocalServers? local = null, string? file = null, TimeProvider? clock = null, IReadOnlyList<Astra.Sdk.ToolDefinition>? tools = null,
        Agent[]? agents = null, TimeSpan? recordingsKept = null)
    {
        var directory = Directory.CreateTempSubdirectory("astra-models-").FullName;
        var home = new TenantId(Guid.NewGuid());
        var (usage, keys, said) = (new KeptUsage(), new KnownKeys(), new List<string>());
        var router = new ModelRouter(
            home, keys, budgets ?? NoBudgets.Instance, prices ?? NoPrices.Instance, usage, new SystemRandomness(), clock ?? TimeProvider.System, Astra.Tools.Webhooks.AddressRules.IsPublic);
        var desk = new ModelDesk(router, new ModelConfigFile(file ?? Path.Combine(directory, ModelConfigFile.Name)), local, said.Add);
        await desk.StartAsync(Ct);
        var (recordings, replays) = (new KeptRecordings(), new ReplaySessions());
        var recorder = new Recorder(recordings, TimeProvider.System, said.Add);
        router.Record(recorder, replays);
        var tapes = new GoalTapes(recorder, recordings, replays, TimeProvider.System, recordingsKept);
        var server = await ServerFixture.StartAsync(new ServerWorld { Home = home, Models = desk, Budgets = budgets ?? NoBudgets.Instance, Tools = tools ?? [], Tapes = tapes }, "node", agents ?? []);
        var key = await server.NewKeyAsync();
        var http = new HttpClient { BaseAddress = server.Address };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return new ModelWorld(directory, desk, server, http, key, usage, keys, said) { Recorder = recorder, Recordings = recordings };
    }

    /// <summary>A provider that listens; it is configured by <see cref="ConfigureAsync"/>.</summary>
    public ScriptedModels Provider(Func<ModelRequest, ModelScript>? answer = null)
    {
        var provider = new ScriptedModels(answer);
        _providers.Add(provider);
        return provider;
    }

    /// <summary>The providers as a, b, c …, each with the model m1; the route `r` leads to all of them in order.</summary>
    public Task ConfigureAsync(params ScriptedModels[] providers) => ConfigureAsync(ProviderKind.OpenAi, config => config, providers);

    public Task ConfigureAsync(ProviderKind kind, Func<ProviderConfig, ProviderConfig> adjust, params ScriptedModels[] providers) =>
        ConfigureAsync(adjust, [.. providers.Select(provider => kind == ProviderKind.OpenAi ? $"{provider.Root}/v1" : provider.Root)], kind);

    public Task ConfigureAsync(Func<ProviderConfig, ProviderConfig> adjust, IReadOnlyList<string> urls, ProviderKind kind = ProviderKind.OpenAi) => Desk.ChangeAsync(
        config => config with
        {
            Providers = [.. urls.Select((url, i) => adjust(new ProviderConfig(((char)('a' + i)).ToString(), kind, url) { Models = [new ModelEntry("m1")] }))],
            Routes = [new RouteConfig("r", [.. urls.Select((_, i) => $"{(char)('a' + i)}/m1")]) { Hedge = false }],
        }, Ct);

    public Task<ModelAnswer> ChatAsync(string model = "r", bool isStream = false, string extra = "") =>
        PostAsync("/v1/chat/completions", $"{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]{(isStream ? ",\"stream\":true" : "")}{extra}}}");

    public async Task<ModelAnswer> PostAsync(string path, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        using var response = await Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Ct);
        return await ModelAnswer.ReadAsync(response, Ct);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await Server.DisposeAsync();
        await Desk.DisposeAsync();
        await Recorder.DisposeAsync();
        foreach (var provider in _providers)
            await provider.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
        Assert.Empty(Server.Errors);
    }
}

internal sealed record ModelAnswer(HttpStatusCode Status, string Text, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The connection closed before the answer had an end.</summary>
    public bool IsBroken { get; private init; }

    public static async Task<ModelAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var read = new MemoryStream();
        var isBroken = false;
        try
        {
            await response.Content.CopyToAsync(read, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            isBroken = true;
        }
        var headers = response.Headers.ToDictionary(header => header.Key, header => string.Join(",", header.Value), StringComparer.OrdinalIgnoreCase);
        return new ModelAnswer(response.StatusCode, Encoding.UTF8.GetString(read.ToArray()), headers) { IsBroken = isBroken };
    }

    public JsonElement Json => JsonElement.Parse(Text);
    public JsonElement Error => Json.GetProperty("error");

    /// <summary>The data of every event of a stream.</summary>
    public IReadOnlyList<string> Events => [.. Text.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => line[6..])];

    /// <summary>The words of a stream of OpenAI's chat.</summary>
    public string Words => string.Concat(
        from data in Events
        where data.StartsWith('{')
        let json = JsonElement.Parse(data)
        where json.TryGetProperty("choices", out var choices) && choices.GetArrayLength() > 0
        let delta = json.GetProperty("choices")[0].GetProperty("delta")
        where delta.TryGetProperty("content", out _)
        select delta.GetProperty("content").GetString());
}

/// <summary>Keys of providers by the names of their secrets.</summary>
internal sealed class KnownKeys : Dictionary<string, string>, IProviderKeys
{
    public ValueTask<string?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken) => ValueTask.FromResult(this.GetValueOrDefault(name));
}

/// <summary>What was written to the log of usage.</summary>
internal sealed class KeptUsage : IUsageLog
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<UsageRecord> _records = [];

    public IReadOnlyList<UsageRecord> Records => [.. _records];

    public UsageRecord? First => _records.TryPeek(out var record) ? record : null;

    public ValueTask WriteAsync(UsageRecord record, CancellationToken cancellationToken)
    {
        _records.Enqueue(record);
        return ValueTask.CompletedTask;
    }
}

/// <summary>What was recorded, in memory.</summary>
internal sealed class KeptRecordings : IRecordingStore
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<Recording> _recordings = [];

    public Func<Recording, bool> IsKept { get; set; } = _ => true;

    public IReadOnlyList<Recording> All => [.. _recordings.Where(IsKept)];

    public ValueTask WriteAsync(IReadOnlyList<Recording> recordings, CancellationToken cancellationToken)
    {
        foreach (var recording in recordings)
            _recordings.Enqueue(recording);
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<Recording>> ReadAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<Recording>>([.. All.Where(recording => recording.Tenant == tenant && recording.Goal == goal)]);
}
