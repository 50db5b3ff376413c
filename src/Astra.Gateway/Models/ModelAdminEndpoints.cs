using Astra.Kernel;
using Astra.Llm.Config;
using Astra.Llm.Money;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>
/// Which models there are. What the admins of the server's own tenant add is for everybody, wherever it is; what another
/// tenant's admin adds is its own, and reaches public addresses only.
/// </summary>
internal sealed class ModelAdminEndpoints(ModelDesk desk, TenantId home)
{
    private const int TrialsAtOnceMax = 8;

    public void Map(IEndpointRouteBuilder api)
    {
        var models = api.MapGroup("/models").WithTags("Models");
        models.MapGet("", (Delegate)List).Produces<ModelsView>().WithSummary("Providers, their models, and routes.");
        models.MapPut("/providers/{name}", SetProvider).For(Access.OrgAdmin).Produces<ProviderView>().WithSummary("Add a provider or put another in its place.");
        models.MapDelete("/providers/{name}", RemoveProvider).For(Access.OrgAdmin).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a provider.");
        models.MapPut("/routes/{name}", SetRoute).For(Access.OrgAdmin).Produces<RouteView>().WithSummary("Give a list of models a name.");
        models.MapDelete("/routes/{name}", RemoveRoute).For(Access.OrgAdmin).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a route.");
        models.MapPost("/test", Test).For(Access.OrgAdmin).Produces<IReadOnlyList<ModelTestView>>().WithSummary("Ask models for one token each, and say how they did.");
    }

    private async Task<IResult> List(HttpContext http)
    {
        var tenant = http.Principal().Tenant.Value;
        var config = desk.Config;
        var providers = await Task.WhenAll(config.Providers.Where(provider => provider.Tenant is null || provider.Tenant == tenant)
            .Select(provider => ToViewAsync(provider, http.RequestAborted)));
        return Replies.Json(new ModelsView(providers, [.. config.Routes.Where(route => route.Tenant is null || route.Tenant == tenant).Select(ToView)]));
    }

    private async Task<IResult> SetProvider(string name, ProviderRequest request, HttpContext http)
    {
        var owner = OwnerOf(http);
        var provider = new ProviderConfig(name, (ProviderKind)((int)request.Kind + 1), request.BaseUrl)
        {
            Tenant = owner,
            Keys = request.Keys ?? [],
            Models = [.. request.Models.Select(model => new ModelEntry(model.Id, (Tier)((int)model.Tier + 1)) is var entry && model.OutputTokensMax is { } most ? entry with { OutputTokensMax = most } : entry)],
            KeyHeader = request.KeyHeader,
            // OpenAI itself has both; who imitates it has neither as a rule.
            Responses = request.Responses ?? IsOpenAiItself(request.BaseUrl),
            MaxCompletionTokens = request.MaxCompletionTokens ?? IsOpenAiItself(request.BaseUrl),
        };
        return await ChangeAsync(
            config => config with { Providers = [.. config.Providers.Where(known => !(known.Name == name && known.Tenant == owner)), provider] },
            async () => Replies.Json(await ToViewAsync(provider, http.RequestAborted)), http);
    }

    private Task<IResult> RemoveProvider(string name, HttpContext http)
    {
        var owner = OwnerOf(http);
        return RemoveAsync(
            config => config.Providers.Any(provider => provider.Name == name && provider.Tenant == owner),
            config => config with { Providers = [.. config.Providers.Where(provider => !(provider.Name == name && provider.Tenant == owner))] },
            $"There is no provider {name} to remove.", http);
    }

    private Task<IResult> SetRoute(string name, RouteRequest request, HttpContext http)
    {
        var owner = OwnerOf(http);
        var route = new RouteConfig(name, request.Models) { Balance = (Balance)((int)request.Balance + 1), Hedge = request.Hedge ?? true, Tenant = owner };
        return ChangeAsync(
            config => config with { Routes = [.. config.Routes.Where(known => !(known.Name == name && known.Tenant == owner)), route] },
            () => Task.FromResult(Replies.Json(ToView(route))), http);
    }

    private Task<IResult> RemoveRoute(string name, HttpContext http)
    {
        var owner = OwnerOf(http);
        return RemoveAsync(
            config => config.Routes.Any(route => route.Name == name && route.Tenant == owner),
            config => config with { Routes = [.. config.Routes.Where(route => !(route.Name == name && route.Tenant == owner))] },
            $"There is no route {name} to remove.", http);
    }

    private async Task<IResult> Test(ModelTestRequest request, HttpContext http)
    {
        var principal = http.Principal();
        var names = request.Model is { } one ? [one] : desk.Config.Providers
            .Where(provider => provider.Tenant is null || provider.Tenant == principal.Tenant.Value)
            .SelectMany(provider => provider.Models.Select(model => $"{provider.Name}/{model.Id}")).ToArray();
        using var places = new SemaphoreSlim(TrialsAtOnceMax);
        var trials = await Task.WhenAll(names.Select(async name =>
        {
            await places.WaitAsync(http.RequestAborted);
            try
            {
                return await desk.TryAsync(name, new Spender(principal.Tenant, Key: principal.Key.Id), http.RequestAborted);
            }
            finally
            {
                places.Release();
            }
        }));
        return Replies.Json(trials.Select(trial => new ModelTestView(trial.Model, trial.IsFine, Math.Round(trial.Duration.TotalMilliseconds, 1), trial.Problem)).ToList());
    }

    private async Task<IResult> ChangeAsync(Func<ModelConfig, ModelConfig> change, Func<Task<IResult>> reply, HttpContext http)
    {
        try
        {
            await desk.ChangeAsync(change, http.RequestAborted);
            return await reply();
        }
        catch (ModelConfigException e)
        {
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, e.Message);
        }
    }

    private async Task<IResult> RemoveAsync(Predicate<ModelConfig> isThere, Func<ModelConfig, ModelConfig> change, string sentence, HttpContext http) =>
        isThere(desk.Config)
            ? await ChangeAsync(change, () => Task.FromResult(Results.NoContent()), http)
            : Problems.Of(StatusCodes.Status404NotFound, sentence);

    private Guid? OwnerOf(HttpContext http) => http.Principal().Tenant is var tenant && tenant == home ? null : tenant.Value;

    private async Task<ProviderView> ToViewAsync(ProviderConfig provider, CancellationToken cancellationToken) => new(
        provider.Name, (ProviderProtocol)((int)provider.Kind - 1), provider.BaseUrl,
        [.. provider.Models.Select(model => new ModelSpec(model.Id, (ModelTier)((int)model.Tier - 1), model.OutputTokensMax))], provider.Keys,
        desk.IsFound(provider.Name), provider.Tenant is not null,
        // Only whoever runs the server has it look at addresses of this machine.
        provider.Tenant is null ? await desk.BackendOfAsync(provider, cancellationToken) : "remote");

    private static RouteView ToView(RouteConfig route) => new(route.Name, route.Models, (RouteBalance)((int)route.Balance - 1), route.Hedge, route.Tenant is not null);

    private static bool IsOpenAiItself(string baseUrl) => Uri.TryCreate(baseUrl, UriKind.Absolute, out var url) && url.Host == "api.openai.com";
}
