namespace Astra.Sdk;

/// <summary>What a key may do: a member works with goals, an organisation's admin also votes on approvals and manages its keys, a platform admin
/// runs the server and sees counts and health, never content.</summary>
public enum KeyRole { PlatformAdmin, OrgAdmin, Member }

public sealed record ApiKeyView
{
    public required Guid Id { get; init; }
    public required string Name { get; init; }
    public required KeyRole Role { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? RevokedAt { get; init; }
}

/// <summary>POST /api/v1/api-keys.</summary>
public sealed record ApiKeyRequest(string Name, KeyRole Role = KeyRole.Member);

/// <param name="Secret">The key itself. It is shown here once and stored nowhere.</param>
public sealed record NewApiKey(ApiKeyView Key, string Secret);

/// <summary>POST /api/v1/tenants: a tenant and the first key of its admin.</summary>
public sealed record TenantRequest(string Name);
