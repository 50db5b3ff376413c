using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Models: remembered as they are set; every one of them answers when it is tried.
public sealed partial class FakeServer
{
    private readonly Dictionary<string, ProviderView> _providers = [];
    private readonly Dictionary<string, RouteView> _modelRoutes = [];

    public Task<ModelsView> ListModelsAsync(CancellationToken cancellationToken = default) =>
        Called("list models", new ModelsView([.. _providers.Values], [.. _modelRoutes.Values]));

    public Task<ProviderView> SetProviderAsync(string name, ProviderRequest provider, CancellationToken cancellationToken = default) => Called(
        $"set provider {name}",
        _providers[name] = new ProviderView(name, provider.Kind, provider.BaseUrl, provider.Models, provider.Keys ?? [], IsFound: false, IsOwn: false));

    public Task RemoveProviderAsync(string name, CancellationToken cancellationToken = default) => Called($"remove provider {name}", _providers.Remove(name));

    public Task<RouteView> SetRouteAsync(string name, RouteRequest route, CancellationToken cancellationToken = default) =>
        Called($"set route {name}", _modelRoutes[name] = new RouteView(name, route.Models, route.Balance, route.Hedge ?? true, IsOwn: false));

    public Task RemoveRouteAsync(string name, CancellationToken cancellationToken = default) => Called($"remove route {name}", _modelRoutes.Remove(name));

    public Task<IReadOnlyList<ModelTestView>> TestModelsAsync(string? model = null, CancellationToken cancellationToken = default) =>
        Called("test models", (IReadOnlyList<ModelTestView>)[.. _providers.Values.SelectMany(provider => provider.Models.Select(entry => new ModelTestView($"{provider.Name}/{entry.Id}", true, 12)))]);
}
