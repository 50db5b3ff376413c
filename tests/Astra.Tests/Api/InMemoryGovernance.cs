using System.Collections.Concurrent;
using Astra.Governance;
using Astra.Kernel;

namespace Astra.Tests.Api;

/// <summary>Keys, tenants and agents in memory.</summary>
internal sealed class InMemoryGovernance : IApiKeyStore, ITenantStore, IAgentRegistry
{
    private readonly ConcurrentDictionary<string, ApiKeyRecord> _keys = new();
    private readonly ConcurrentDictionary<string, TenantId> _tenants = new();
    private readonly ConcurrentDictionary<(TenantId, string), RegisteredAgent> _agents = new();

    public ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_keys.GetValueOrDefault(Convert.ToHexString(sha256.Span)));

    public ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        _keys[Convert.ToHexString(sha256.Span)] = key;
        return default;
    }

    public ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken)
    {
        foreach (var (hash, key) in _keys)
        {
            if (key.Tenant != tenant || key.Id != id)
                continue;
            _keys[hash] = key with { RevokedAt = key.RevokedAt ?? DateTimeOffset.UtcNow };
            return ValueTask.FromResult(true);
        }
        return ValueTask.FromResult(false);
    }

    ValueTask<IReadOnlyList<ApiKeyRecord>> IApiKeyStore.ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<ApiKeyRecord>>([.. _keys.Values.Where(key => key.Tenant == tenant).OrderByDescending(key => key.CreatedAt)]);

    public ValueTask<TenantId> EnsureAsync(string name, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_tenants.GetOrAdd(name, _ => new TenantId(Guid.NewGuid())));

    public ValueTask RegisterAsync(TenantId tenant, string name, string description, CancellationToken cancellationToken)
    {
        _agents.AddOrUpdate((tenant, name), _ => new RegisteredAgent(name, description, DateTimeOffset.UtcNow), (_, known) => known with { Description = description });
        return default;
    }

    ValueTask<IReadOnlyList<RegisteredAgent>> IAgentRegistry.ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<RegisteredAgent>>([.. _agents.Where(agent => agent.Key.Item1 == tenant).Select(agent => agent.Value).OrderBy(agent => agent.Name)]);
}
