using Astra.Kernel;

namespace Astra.Governance;

/// <summary>What may be shown of a secret.</summary>
public sealed record SecretRecord(string Name, string KeyId, string SetBy, DateTimeOffset CreatedAt, DateTimeOffset SetAt);

/// <summary>Where secrets are kept, sealed. A store never has one in the clear.</summary>
public interface ISecretStore
{
    /// <summary>False when the tenant has as many as it may, and this would be another one.</summary>
    ValueTask<bool> SetAsync(TenantId tenant, SecretRecord secret, ReadOnlyMemory<byte> box, int countMax, CancellationToken cancellationToken);

    ValueTask<(string KeyId, byte[] Box)?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken);

    /// <summary>By name.</summary>
    ValueTask<IReadOnlyList<SecretRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken);

    ValueTask<bool> RemoveAsync(TenantId tenant, string name, CancellationToken cancellationToken);
}

/// <summary>The secrets of tenants. There is a way in and a way to use one, and no way to read one back over any protocol.</summary>
public sealed class SecretVault(ISecretStore store, SecretKeys keys, TimeProvider clock) : ISecrets
{
    private const int SecretsMax = 200;
    private const int NameLengthMax = 100;
    private const int ValueLengthMax = 8_192;

    /// <returns>Why not, as one sentence; null when it is set. It never holds the value.</returns>
    public async ValueTask<string?> SetAsync(Caller caller, string name, string value, CancellationToken cancellationToken)
    {
        if (!IsName(name))
            return $"A secret's name is 1 to {NameLengthMax} letters, digits, dashes, dots and underscores.";
        if (value.Length is 0 or > ValueLengthMax || value.Any(letter => char.IsControl(letter) && letter is not ('\n' or '\r' or '\t')))
            return $"A secret is 1 to {ValueLengthMax:N0} characters of text.";
        var now = clock.GetUtcNow();
        return await store.SetAsync(
            caller.Tenant, new SecretRecord(name, keys.CurrentId, caller.Principal, now, now), keys.Seal(caller.Tenant.Value, name, value), SecretsMax, cancellationToken)
            ? null : $"A tenant has at most {SecretsMax} secrets; remove one first.";
    }

    public ValueTask<IReadOnlyList<SecretRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken) => store.ListAsync(tenant, cancellationToken);

    public ValueTask<bool> RemoveAsync(TenantId tenant, string name, CancellationToken cancellationToken) => store.RemoveAsync(tenant, name, cancellationToken);

    /// <exception cref="SecretKeyException">It is there and does not open.</exception>
    public async ValueTask<string?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        await store.FindAsync(tenant, name, cancellationToken) is var (keyId, box) ? keys.Open(tenant.Value, name, keyId, box) : null;

    public static bool IsName(string name) =>
        name.Length is >= 1 and <= NameLengthMax && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.');
}
