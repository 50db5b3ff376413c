using System.Collections.Concurrent;
using System.Collections.Frozen;
using Astra.Kernel;
using Astra.Llm.Config;

namespace Astra.Llm.Routing;

/// <summary>
/// What every name of a model leads to, for one configuration. It never changes: another configuration is another directory,
/// and what is known of providers that stayed as they were is taken along.
/// </summary>
internal sealed class ModelDirectory
{
    /// <summary>A route has at most so many targets: what has been tried is one word.</summary>
    public const int TargetsMax = 64;

    private readonly TenantId _home;
    private readonly FrozenDictionary<string, List<ModelRoute>> _routes;
    private readonly ConcurrentDictionary<(TenantId, string), ModelRoute?> _resolved = new();

    private ModelDirectory(ModelConfig config, IReadOnlyList<Provider> providers, TenantId home)
    {
        (Config, Providers, _home) = (config, providers, home);
        _routes = config.Routes.GroupBy(route => route.Name).ToFrozenDictionary(
            group => group.Key,
            group => group.Select(route => new ModelRoute(route.Name, TargetsOf(route), route.Balance, route.Hedge)).ToList());
    }

    public ModelConfig Config { get; }
    public IReadOnlyList<Provider> Providers { get; }
    public TimeSpan TotalTimeMax => TimeSpan.FromSeconds(Config.TotalSeconds);

    public static ModelDirectory Of(ModelConfig config, ModelDirectory? former, TenantId home, Transports transports, TimeProvider clock) => new(
        config,
        [.. config.Providers.Select(provider => former?.Providers.FirstOrDefault(known => ModelConfigFile.AreSame(known.Config, provider))
            ?? new Provider(provider, home, transports.For(provider), clock))],
        home);

    /// <summary>Null when the name leads nowhere for this tenant.</summary>
    public ModelRoute? Resolve(TenantId tenant, string name, string? kind)
    {
        if (name == ModelConfigRules.Auto)
            name = kind is not null && Config.Kinds.TryGetValue(kind, out var named) ? named : FirstTier(tenant) ?? name;
        // Names that lead nowhere are not kept: there is no end to them.
        if (_resolved.TryGetValue((tenant, name), out var known))
            return known;
        var route = Find(tenant, name);
        if (route is not null)
            _resolved[(tenant, name)] = route;
        return route;
    }

    /// <summary>Every name that leads somewhere for this tenant: routes, tiers, then models.</summary>
    public IEnumerable<(string Name, string Owner)> NamesFor(TenantId tenant)
    {
        foreach (var route in Config.Routes.Where(route => IsFor(route, tenant)))
            yield return (route.Name, "route");
        var tiers = TargetsFor(tenant).Select(target => target.Model.Tier).Distinct().Order().ToList();
        if (tiers.Count > 0)
            yield return (ModelConfigRules.Auto, "tier");
        foreach (var tier in tiers)
            yield return (ModelConfigRules.NameOf(tier), "tier");
        foreach (var target in TargetsFor(tenant))
            yield return (target.Name, target.Provider.Config.Name);
    }

    private ModelRoute? Find(TenantId tenant, string name)
    {
        if (Config.Routes.Any(route => route.Name == name && IsFor(route, tenant)))
        {
            // A tenant's own comes before the one for everybody.
            var index = Config.Routes.Where(route => route.Name == name).Select((route, i) => (route, i))
                .Where(found => IsFor(found.route, tenant)).OrderBy(found => found.route.Tenant is null).First().i;
            return _routes[name][index];
        }
        var targets = TargetsFor(tenant).ToList();
        if (ModelConfigRules.TierNames.Contains(name))
            return Route(name, targets.Where(target => ModelConfigRules.NameOf(target.Model.Tier) == name), Balance.Latency);
        return Route(name, targets.Where(target => target.Name == name), Balance.Order)
            ?? Route(name, targets.Where(target => target.Model.Id == name), Balance.Latency);
    }

    private static ModelRoute? Route(string name, IEnumerable<Target> targets, Balance balance) =>
        targets.Take(TargetsMax).ToList() is { Count: > 0 } found ? new ModelRoute(name, found, balance, Hedge: true) : null;

    private string? FirstTier(TenantId tenant)
    {
        var tiers = TargetsFor(tenant).Select(target => target.Model.Tier).ToHashSet();
        foreach (var tier in (Tier[])[Tier.Standard, Tier.Local, Tier.Premium, Tier.Code])
            if (tiers.Contains(tier))
                return ModelConfigRules.NameOf(tier);
        return null;
    }

    /// <summary>A tenant's own come first: whoever names a provider as somebody else's is named means that one.</summary>
    private IEnumerable<Target> TargetsFor(TenantId tenant) =>
        Providers.Where(provider => provider.IsFor(tenant)).OrderBy(provider => provider.Config.Tenant is null).SelectMany(provider => provider.Targets);

    private List<Target> TargetsOf(RouteConfig route)
    {
        var tenant = route.Tenant is { } owner ? new TenantId(owner) : _home;
        var targets = Providers.Where(provider => provider.Config.Tenant is null || (route.Tenant is not null && provider.IsFor(tenant)))
            .SelectMany(provider => provider.Targets).ToList();
        return [.. route.Models.SelectMany(name => targets.Where(target => target.Name == name) is var exact && exact.Any() ? exact : targets.Where(target => target.Model.Id == name))
            .Distinct().Take(TargetsMax)];
    }

    private static bool IsFor(RouteConfig route, TenantId tenant) => route.Tenant is null || route.Tenant == tenant.Value;
}
