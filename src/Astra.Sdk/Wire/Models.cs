namespace Astra.Sdk;

/// <summary>The ways to speak to a provider of models.</summary>
public enum ProviderProtocol { Openai, Anthropic, Ollama }

public enum ModelTier { Local, Standard, Premium, Code }

/// <summary>Which target of a route comes first: as written, the quicker of two, or the cheapest.</summary>
public enum RouteBalance { Order, Latency, Price }

/// <param name="Id">What the provider calls it.</param>
public sealed record ModelSpec(string Id, ModelTier Tier = ModelTier.Standard, int? OutputTokensMax = null);

/// <summary>PUT /api/v1/models/providers/{name}.</summary>
/// <param name="Keys">Names of secrets, never keys.</param>
/// <param name="KeyHeader">The header for the key, where it is not Authorization.</param>
/// <param name="Responses">It understands /responses itself.</param>
/// <param name="MaxCompletionTokens">What bounds an answer is called max_completion_tokens there.</param>
public sealed record ProviderRequest(
    ProviderProtocol Kind, string BaseUrl, IReadOnlyList<ModelSpec> Models, IReadOnlyList<string>? Keys = null, string? KeyHeader = null,
    bool? Responses = null, bool? MaxCompletionTokens = null);

/// <summary>PUT /api/v1/models/routes/{name}.</summary>
public sealed record RouteRequest(IReadOnlyList<string> Models, RouteBalance Balance = RouteBalance.Order, bool? Hedge = null);

/// <param name="IsFound">It listens on this machine and nobody configured it.</param>
/// <param name="IsOwn">The tenant's own; the others are everybody's.</param>
/// <param name="InferenceBackend">metal, cuda, gpu, cpu or remote; left out where nobody can tell.</param>
public sealed record ProviderView(
    string Name, ProviderProtocol Kind, string BaseUrl, IReadOnlyList<ModelSpec> Models, IReadOnlyList<string> Keys, bool IsFound, bool IsOwn, string? InferenceBackend = null);

public sealed record RouteView(string Name, IReadOnlyList<string> Models, RouteBalance Balance, bool Hedge, bool IsOwn);

/// <summary>GET /api/v1/models.</summary>
public sealed record ModelsView(IReadOnlyList<ProviderView> Providers, IReadOnlyList<RouteView> Routes);

/// <summary>POST /api/v1/models/test.</summary>
/// <param name="Model">A name as a request would have it; every model when left out.</param>
public sealed record ModelTestRequest(string? Model = null);

public sealed record ModelTestView(string Model, bool Ok, double Milliseconds, string? Problem = null);
