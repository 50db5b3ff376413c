using Astra.Llm.Config;

namespace Astra.Llm.Routing;

/// <summary>What a model's name leads to: targets, and which comes first.</summary>
internal sealed record ModelRoute(string Name, IReadOnlyList<Target> Targets, Balance Balance, bool Hedge);
