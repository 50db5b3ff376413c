namespace Astra.Sdk;

// Models: who offers them, and which names lead to whom.
public partial interface IAstraClient
{
    Task<ModelsView> ListModelsAsync(CancellationToken cancellationToken = default);

    /// <summary>Adds a provider of models, or puts another in its place.</summary>
    Task<ProviderView> SetProviderAsync(string name, ProviderRequest provider, CancellationToken cancellationToken = default);

    Task RemoveProviderAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Gives a list of models a name that a request can ask for.</summary>
    Task<RouteView> SetRouteAsync(string name, RouteRequest route, CancellationToken cancellationToken = default);

    Task RemoveRouteAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>Makes an agent of a profile, or gives one that is there another.</summary>
    Task<AgentView> SetProfileAsync(AgentProfile profile, CancellationToken cancellationToken = default);

    /// <summary>Asks a model for one token, or every model.</summary>
    Task<IReadOnlyList<ModelTestView>> TestModelsAsync(string? model = null, CancellationToken cancellationToken = default);
}
