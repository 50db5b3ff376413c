using System.Collections.Concurrent;
using System.Net;
using Astra.Llm.Config;
using Astra.Tools.Webhooks;

namespace Astra.Hosting;

/// <summary>Where providers run. One on a machine of one's own costs nothing by the token unless somebody gives it a price;
/// anybody else's has to have one.</summary>
internal sealed class ProviderPlaces(Func<ModelConfig?> config)
{
    private static readonly string[] OwnSuffixes = [".local", ".lan", ".internal", ".localhost"];

    // A few addresses, each looked at once.
    private readonly ConcurrentDictionary<string, bool> _remote = new(StringComparer.Ordinal);

    /// <summary>Who is not known is somebody else.</summary>
    public bool IsRemote(string provider)
    {
        if (config() is not { } known)
            return true;
        foreach (var each in known.Providers)
        {
            if (each.Name == provider)
                return _remote.GetOrAdd(each.BaseUrl, static url => !IsOwn(url));
        }
        return true;
    }

    /// <summary>By the name alone: what it resolves to may be another thing tomorrow.</summary>
    private static bool IsOwn(string url)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri))
            return false;
        if (IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address))
            return !AddressRules.IsPublic(address);
        return !uri.Host.Contains('.') || OwnSuffixes.Any(suffix => uri.Host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
    }
}
