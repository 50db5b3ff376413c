using Astra.Governance;
using Astra.Kernel;

namespace Astra.Testing.Governance;

/// <summary>Tenants and keys for tests that need no database.</summary>
public sealed class InMemoryGovernance(IClock clock) : ITenantStore, IApiKeyStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, TenantId> _tenants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ApiKeyRecord> _keys = new(StringComparer.Ordinal);

    public ValueTask<TenantId> EnsureAsync(string name, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_tenants.TryGetValue(name, out var tenant))
                _tenants.Add(name, tenant = new TenantId(Guid.CreateVersion7()));
            return ValueTask.FromResult(tenant);
        }
    }

    public ValueTask<TenantId?> FindAsync(string name, CancellationToken cancellationToken)
    {
        lock (_lock)
            return ValueTask.FromResult<TenantId?>(_tenants.TryGetValue(name, out var tenant) ? tenant : null);
    }

    public ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        lock (_lock)
            return ValueTask.FromResult(_keys.GetValueOrDefault(Convert.ToHexStringLower(sha256.Span)));
    }

    public ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        lock (_lock)
            _keys.Add(Convert.ToHexStringLower(sha256.Span), key);
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var (hash, key) = _keys.FirstOrDefault(pair => pair.Value.Tenant == tenant && pair.Value.Id == id);
            if (key is null)
                return ValueTask.FromResult(false);
            _keys[hash] = key with { RevokedAt = key.RevokedAt ?? clock.UtcNow };
            return ValueTask.FromResult(true);
        }
    }

    ValueTask<IReadOnlyList<ApiKeyRecord>> IApiKeyStore.ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return ValueTask.FromResult<IReadOnlyList<ApiKeyRecord>>(
                _keys.Values.Where(key => key.Tenant == tenant).OrderByDescending(key => key.CreatedAt).ThenBy(key => key.Id).ToArray());
        }
    }
}
