using Astra.Governance;
using Astra.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Who may use an endpoint.</summary>
internal enum Access
{
    /// <summary>Without a key: health.</summary>
    Anyone,

    /// <summary>Counts and health.</summary>
    AnyKey,

    /// <summary>A tenant's own data: its members and admins, and never a platform admin.</summary>
    Content,

    /// <summary>A tenant's keys.</summary>
    OrgAdmin,

    /// <summary>The server itself: platform admins, and the admins of the tenant whose server it is.</summary>
    Operator,
}

/// <summary>Whoever the key belongs to. The tenant comes from here and from nowhere else.</summary>
internal sealed record Principal(ApiKeyRecord Key, ReadOnlyMemory<byte> KeyHash)
{
    public TenantId Tenant => Key.Tenant;
    public Caller Caller => new(Key.Tenant, $"key:{Key.Name}");
}

/// <summary>Finds out on every request whose key it bears, and whether that one may do this.</summary>
internal sealed class Authentication(RequestDelegate next, IApiKeyStore keys, TenantId home)
{
    private const string Scheme = "Bearer ";

    public async Task InvokeAsync(HttpContext http)
    {
        // Nothing is there, or not with this method: the answer says so to anyone.
        if (http.GetEndpoint() is not RouteEndpoint endpoint)
        {
            await next(http);
            return;
        }

        // An endpoint that does not say who may use it is for the tenant's own people.
        var access = endpoint.Metadata.GetMetadata<AccessRule>()?.Access ?? Access.Content;
        if (access == Access.Anyone)
        {
            await next(http);
            return;
        }

        var models = endpoint.Metadata.GetMetadata<ModelDialect>();
        var (principal, problem) = await IdentifyAsync(http, models);
        if (principal is null)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            await RefuseAsync(http, models, 401, problem!);
            return;
        }
        if (Refuse(principal, access) is { } refusal)
        {
            await RefuseAsync(http, models, 403, refusal);
            return;
        }
        http.Features.Set(principal);
        await next(http);
    }

    /// <summary>The clients of models read errors in their own form only.</summary>
    private static Task RefuseAsync(HttpContext http, ModelDialect? models, int status, string sentence) =>
        models is null ? Problems.WriteAsync(http, status, sentence) : models.RefuseAsync(http, status, sentence);

    private async ValueTask<(Principal?, string? Problem)> IdentifyAsync(HttpContext http, ModelDialect? models)
    {
        string? header = http.Request.Headers.Authorization;
        if (string.IsNullOrEmpty(header) && models is not null && http.Request.Headers["x-api-key"] is [{ Length: > 0 } key, ..])
            header = Scheme + key; // Older clients of Anthropic's.
        if (string.IsNullOrEmpty(header))
            return (null, "This needs an API key: send it as Authorization: Bearer astra_….");
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || ApiKeys.HashOf(header.AsSpan(Scheme.Length).Trim()) is not { } hash)
            return (null, "The Authorization header holds no API key; it looks like Bearer astra_….");
        return await keys.FindAsync(hash, http.RequestAborted) switch
        {
            null => (null, "This API key is not known here."),
            { RevokedAt: { } revokedAt } => (null, $"This API key was revoked at {revokedAt:u}."),
            var found => (new Principal(found, hash), null),
        };
    }

    private string? Refuse(Principal principal, Access access)
    {
        var role = principal.Key.Role;
        return access switch
        {
            Access.Content when role == Role.PlatformAdmin => "A platform admin sees counts and health, never content; use a key of the tenant.",
            Access.OrgAdmin when role != Role.OrgAdmin => "This takes a key with the role orgAdmin.",
            Access.Operator when role != Role.PlatformAdmin && !(role == Role.OrgAdmin && principal.Tenant == home) =>
                "This takes the key of whoever runs the server.",
            _ => null,
        };
    }
}

internal sealed record AccessRule(Access Access);

internal static class AuthenticationExtensions
{
    public static Principal Principal(this HttpContext http) =>
        http.Features.Get<Principal>() ?? throw new InvalidOperationException("The endpoint is open to anyone and has no principal.");

    public static TBuilder For<TBuilder>(this TBuilder builder, Access access) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AccessRule(access));
}
