using Astra.Kernel;

namespace Astra.Governance;

/// <summary>What a principal may do. The numbers are on disk and never change.</summary>
public enum Role : byte
{
    /// <summary>Runs the platform: sees counts and health, never content.</summary>
    PlatformAdmin = 1,

    OrgAdmin = 2,
    Member = 3,
}

/// <summary>What is known of an API key. The key itself is shown once, when it is made, and never stored.</summary>
public sealed record ApiKeyRecord(Guid Id, TenantId Tenant, string Name, Role Role, DateTimeOffset CreatedAt, DateTimeOffset? RevokedAt);

/// <summary>API keys by the SHA-256 of the key: 256 random bits need neither salt nor a slow hash.</summary>
public interface IApiKeyStore
{
    /// <summary>The key with this hash, revoked or not: whoever shows a revoked one is told so.</summary>
    ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken);

    ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken);

    /// <summary>When it answers, the key opens nothing any more. False when this tenant has no such key. Revoking twice keeps the first time.</summary>
    ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken);

    /// <summary>Newest first, the revoked ones included.</summary>
    ValueTask<IReadOnlyList<ApiKeyRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken);
}

public interface ITenantStore
{
    /// <summary>The tenant of this name; made when there is none. The same name is the same tenant on every node.</summary>
    ValueTask<TenantId> EnsureAsync(string name, CancellationToken cancellationToken);

    /// <summary>The tenant of this name, if there is one.</summary>
    ValueTask<TenantId?> FindAsync(string name, CancellationToken cancellationToken);
}
