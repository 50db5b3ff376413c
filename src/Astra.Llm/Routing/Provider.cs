using System.Collections.Concurrent;
using Astra.Kernel;
using Astra.Llm.Config;

namespace Astra.Llm.Routing;

/// <summary>A configured provider at work: its address, its keys' health, and its models' as <see cref="Target"/>s.</summary>
internal sealed class Provider
{
    private readonly TenantId _secretsOf;
    private readonly ConcurrentDictionary<string, Uri> _uris = new(StringComparer.Ordinal);
    private int _turn;

    public Provider(ProviderConfig config, TenantId home, Transport transport, TimeProvider clock)
    {
        Config = config;
        _secretsOf = config.Tenant is { } tenant ? new TenantId(tenant) : home;
        Transport = transport;
        Base = new Uri(config.BaseUrl.TrimEnd('/') + "/");
        Keys = config.Keys.Count == 0 ? [new KeyState(null, clock)] : [.. config.Keys.Select(name => new KeyState(name, clock))];
        Targets = [.. config.Models.Select(model => new Target(this, model, clock))];
    }

    public ProviderConfig Config { get; }
    public Uri Base { get; }
    public Transport Transport { get; }
    public IReadOnlyList<KeyState> Keys { get; }
    public IReadOnlyList<Target> Targets { get; }

    /// <summary>Made once for each path: a request is one of millions.</summary>
    public Uri UriOf(string path) => _uris.GetOrAdd(path, static (path, at) => new Uri(at, path), Base);

    public bool IsFor(TenantId tenant) => Config.Tenant is null || Config.Tenant == tenant.Value;

    /// <summary>How long until one of the keys may be used; zero when one may. Whether it is still refused shows when it is taken.</summary>
    public TimeSpan KeyRest
    {
        get
        {
            var least = TimeSpan.MaxValue;
            foreach (var key in Keys)
                if (key.Rest is var rest && rest < least)
                    least = rest;
            return least;
        }
    }

    /// <summary>The next key that may be used; null when there is none. A refused one comes back when its secret is another.</summary>
    public async ValueTask<UsableKey?> TakeKeyAsync(IProviderKeys secrets, CancellationToken cancellationToken)
    {
        var first = Keys.Count == 1 ? 0 : (int)((uint)Interlocked.Increment(ref _turn) % (uint)Keys.Count);
        for (var i = 0; i < Keys.Count; i++)
        {
            var key = Keys[(first + i) % Keys.Count];
            if (key.Rest > TimeSpan.Zero)
                continue;
            if (key.Secret is null)
                return new UsableKey(key, null);
            var secret = await secrets.FindAsync(_secretsOf, key.Secret, cancellationToken);
            if (secret is not null && !key.Refuses(secret))
                return new UsableKey(key, secret);
        }
        return null;
    }
}

/// <param name="Secret">In the clear, for the request that it is put into.</param>
internal readonly record struct UsableKey(KeyState State, string? Secret)
{
    // A record would print it.
    public override string ToString() => State.Secret ?? "no key";
}
