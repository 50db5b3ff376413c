using Microsoft.Extensions.AI;

namespace Astra.Sdk;

// Models: who offers them, and which names lead to whom.
public sealed partial class AstraClient
{
    /// <summary>A chat with a model, a tier or a route of the server, for the owner of the key.</summary>
    public IChatClient Chat(string model = "auto") => new ServerChatClient(new HttpModelEndpoint(_requests, attempt: null), model);

    public IEmbeddingGenerator<string, Embedding<float>> Embeddings(string model) => new ServerEmbeddingGenerator(new HttpModelEndpoint(_requests, attempt: null), model);

    internal IModelEndpoint ModelsOf(TaskAttempt attempt) => new HttpModelEndpoint(_requests, attempt);

    internal IModelEndpoint ModelsOf(string agent) => new HttpModelEndpoint(_requests, agent: agent);

    public Task<ModelsView> ListModelsAsync(CancellationToken cancellationToken = default) => GetAsync<ModelsView>("models", cancellationToken);

    public Task<ProviderView> SetProviderAsync(string name, ProviderRequest provider, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<ProviderView>(HttpMethod.Put, $"models/providers/{Uri.EscapeDataString(name)}", provider, cancellationToken);

    public async Task RemoveProviderAsync(string name, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"models/providers/{Uri.EscapeDataString(name)}", null, cancellationToken)).Dispose();

    public Task<RouteView> SetRouteAsync(string name, RouteRequest route, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<RouteView>(HttpMethod.Put, $"models/routes/{Uri.EscapeDataString(name)}", route, cancellationToken);

    public async Task RemoveRouteAsync(string name, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"models/routes/{Uri.EscapeDataString(name)}", null, cancellationToken)).Dispose();

    public Task<AgentView> SetProfileAsync(AgentProfile profile, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<AgentView>(HttpMethod.Put, $"agents/{Uri.EscapeDataString(profile.Name)}/profile", profile, cancellationToken);

    public Task<IReadOnlyList<ModelTestView>> TestModelsAsync(string? model = null, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<IReadOnlyList<ModelTestView>>(HttpMethod.Post, "models/test", new ModelTestRequest(model), cancellationToken);
}
