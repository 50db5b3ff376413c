using System.Net;
using System.Text.Json;

namespace Astra.Llm.Config;

/// <summary>Servers of models on this machine, by the ports that they listen on unless told otherwise.</summary>
public sealed class LocalServers : IDisposable
{
    /// <summary>Whoever is there answers at once; whoever is not, nobody waits for.</summary>
    private static readonly TimeSpan AnswerTimeMax = TimeSpan.FromSeconds(1);

    private const int AnswerBytesMax = 1 << 20;
    private const int ModelsMax = 200;

    public static readonly IReadOnlyList<(string Name, ProviderKind Kind, int Port)> Known =
    [
        ("ollama", ProviderKind.Ollama, 11434), ("lmstudio", ProviderKind.OpenAi, 1234), ("llamacpp", ProviderKind.OpenAi, 8080), ("vllm", ProviderKind.OpenAi, 8000),
    ];

    private readonly IReadOnlyList<(string Name, ProviderKind Kind, int Port)> _places;
    private readonly HttpClient _http;

    public LocalServers(IReadOnlyList<(string Name, ProviderKind Kind, int Port)>? places = null)
    {
        _places = places ?? Known;
        _http = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, UseCookies = false, PooledConnectionIdleTimeout = TimeSpan.FromSeconds(5) })
        {
            Timeout = AnswerTimeMax, MaxResponseContentBufferSize = AnswerBytesMax,
        };
    }

    public async Task<IReadOnlyList<ProviderConfig>> FindAsync(CancellationToken cancellationToken)
    {
        var asked = await Task.WhenAll(_places.Select(place => AskAsync(place, cancellationToken)));
        return [.. asked.OfType<ProviderConfig>()];
    }

    /// <summary>metal, cuda or cpu where a server on this machine says enough to tell, remote for one elsewhere, null where nothing is known.</summary>
    public async Task<string?> BackendOfAsync(ProviderConfig provider, CancellationToken cancellationToken)
    {
        var url = new Uri(provider.BaseUrl);
        if (!url.IsLoopback)
            return "remote";
        if (provider.Kind != ProviderKind.Ollama || await GetAsync(new Uri(url, "/api/ps"), cancellationToken) is not { } loaded)
            return null;
        using (loaded)
        {
            if (!loaded.RootElement.TryGetProperty("models", out var models) || models.ValueKind != JsonValueKind.Array || models.GetArrayLength() == 0)
                return null; // Nothing is loaded, and only what is loaded is somewhere.
            var isOnGpu = models.EnumerateArray().Any(model => model.TryGetProperty("size_vram", out var size) && size.ValueKind == JsonValueKind.Number && size.GetInt64() > 0);
            return !isOnGpu ? "cpu" : OperatingSystem.IsMacOS() ? "metal" : File.Exists("/proc/driver/nvidia/version") ? "cuda" : "gpu";
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<ProviderConfig?> AskAsync((string Name, ProviderKind Kind, int Port) place, CancellationToken cancellationToken)
    {
        var root = new Uri($"http://127.0.0.1:{place.Port}/");
        var isOllama = place.Kind == ProviderKind.Ollama;
        if (await GetAsync(new Uri(root, isOllama ? "api/tags" : "v1/models"), cancellationToken) is not { } answer)
            return null;
        using (answer)
        {
            var (list, member) = isOllama ? ("models", "name") : ("data", "id");
            if (answer.RootElement.ValueKind != JsonValueKind.Object || !answer.RootElement.TryGetProperty(list, out var models) || models.ValueKind != JsonValueKind.Array)
                return null;
            var ids = models.EnumerateArray().Where(model => model.ValueKind == JsonValueKind.Object && model.TryGetProperty(member, out var id) && id.ValueKind == JsonValueKind.String)
                .Select(model => model.GetProperty(member).GetString()!).Where(id => id.Length is > 0 and <= 200).Take(ModelsMax).ToList();
            return ids.Count == 0 ? null : new ProviderConfig(place.Name, place.Kind, isOllama ? root.ToString() : $"{root}v1") { Models = [.. ids.Select(id => new ModelEntry(id, Tier.Local))] };
        }
    }

    private async Task<JsonDocument?> GetAsync(Uri url, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync(url, cancellationToken);
            return response.StatusCode == HttpStatusCode.OK ? JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken)) : null;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }
}
