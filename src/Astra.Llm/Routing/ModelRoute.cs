using System.Text;
using Astra.Llm.Caching;
using Astra.Llm.Config;

namespace Astra.Llm.Routing;

/// <summary>What a model's name leads to: targets, and which comes first.</summary>
internal sealed record ModelRoute(string Name, IReadOnlyList<Target> Targets, Balance Balance, bool Hedge)
{
    /// <summary>Who may answer, wherever they are: what the route led to when an answer was kept must be what it leads to now.</summary>
    public Digest Digest { get; } = Digest.Of(Encoding.UTF8.GetBytes(string.Join(
        '\n', Targets.Select(target => $"{target.Name} {target.Provider.Config.Kind} {target.Provider.Config.BaseUrl}").Prepend(Name))));
}
