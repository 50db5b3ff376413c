namespace Astra.Llm.Config;

/// <summary>What a configuration must keep to; each problem is a sentence for whoever wrote it.</summary>
public static class ModelConfigRules
{
    /// <summary>Who asks for this leaves the choice to the kind of the task, or to the first tier that has models.</summary>
    public const string Auto = "auto";

    private const int NameLengthMax = 100;

    public static IReadOnlyList<string> TierNames { get; } = ["local", "standard", "premium", "code"];

    public static string NameOf(Tier tier) => TierNames[(int)tier - 1];

    /// <summary>Null when there is none.</summary>
    public static string? Problem(ModelConfig config)
    {
        foreach (var provider in config.Providers)
            if (Problem(provider) is { } problem)
                return problem;
        if (Twice(config.Providers.Select(provider => (provider.Tenant, provider.Name))) is { } twice)
            return $"There are two providers {twice}; names are used once.";
        if (Twice(config.Routes.Select(route => (route.Tenant, route.Name))) is { } route2)
            return $"There are two routes {route2}; names are used once.";
        foreach (var route in config.Routes)
            if (Problem(route, config) is { } problem)
                return problem;
        if (config.TotalSeconds is < 1 or > 86_400)
            return $"totalSeconds is from 1 to 86400, not {config.TotalSeconds}.";
        if (config.CacheMegabytes is < 0 or > 65_536)
            return $"cacheMegabytes is from 0, which keeps no answers, to 65536, not {config.CacheMegabytes}.";
        if (config.CacheSeconds is < 1 or > 31_536_000)
            return $"cacheSeconds is from 1 to 31536000, not {config.CacheSeconds}.";
        return null;
    }

    public static string? Problem(ProviderConfig provider)
    {
        if (!IsName(provider.Name))
            return $"'{provider.Name}' is no name for a provider: lower-case letters, digits, dots and dashes, at most {NameLengthMax}.";
        if (!Uri.TryCreate(provider.BaseUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Query.Length > 0 || url.Fragment.Length > 0)
            return $"The base URL of {provider.Name} must be like https://api.openai.com/v1, not '{provider.BaseUrl}'.";
        if (provider.Tenant is not null && url.Scheme != Uri.UriSchemeHttps)
            return $"{provider.Name} is reached over the network, with its key and whatever is asked; give it an https address.";
        // A password in a URL ends in logs.
        if (url.UserInfo.Length > 0)
            return $"The base URL of {provider.Name} holds a password; put the key into a secret and name that in keys.";
        if (!Enum.IsDefined(provider.Kind))
            return $"The kind of {provider.Name} is openai, anthropic or ollama.";
        if (provider.Keys.FirstOrDefault(key => !IsName(key)) is { } key)
            return $"'{key}' is no name of a secret; keys of {provider.Name} names secrets and never holds keys.";
        if (provider.Models.FirstOrDefault(model => model.Id.Length is 0 or > 200 || model.Id.Any(char.IsControl)) is not null)
            return $"A model of {provider.Name} has no proper id.";
        if (provider.Models.FirstOrDefault(model => model.OutputTokensMax is < 1 or > 10_000_000) is { } unbounded)
            return $"outputTokensMax of {provider.Name}/{unbounded.Id} is from 1 to 10000000.";
        foreach (var (name, seconds) in ((string, double)[])[("firstTokenSeconds", provider.FirstTokenSeconds), ("betweenTokensSeconds", provider.BetweenTokensSeconds), ("answerSeconds", provider.AnswerSeconds)])
            if (seconds is not (> 0 and <= 86_400))
                return $"{name} of {provider.Name} is more than 0 and at most 86400.";
        return null;
    }

    public static string? Problem(RouteConfig route, ModelConfig config)
    {
        if (!IsName(route.Name) || route.Name == Auto || TierNames.Contains(route.Name))
            return $"'{route.Name}' is no name for a route: lower-case letters, digits, dots and dashes, and neither a tier nor {Auto}.";
        if (route.Models.Count == 0)
            return $"The route {route.Name} leads nowhere; give it models.";
        if (!Enum.IsDefined(route.Balance))
            return $"The balance of {route.Name} is order, latency or price.";
        return route.Models.FirstOrDefault(model => !Knows(model, route.Tenant, config)) is { } unknown
            ? $"The route {route.Name} names {unknown}, which no provider has; write it as provider/model."
            : null;
    }

    private static bool Knows(string name, Guid? tenant, ModelConfig config) => config.Providers
        .Where(provider => provider.Tenant is null || provider.Tenant == tenant)
        .Any(provider => provider.Models.Any(model => name == model.Id || name == $"{provider.Name}/{model.Id}"));

    private static bool IsName(string name) =>
        name.Length is > 0 and <= NameLengthMax && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.' or '_');

    private static string? Twice(IEnumerable<(Guid? Tenant, string Name)> names) =>
        names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1)?.Key.Name;
}
