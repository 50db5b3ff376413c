using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>What a tenant has: keys. And how a new tenant begins.</summary>
internal sealed class TenantEndpoints(GatewayParts parts, TimeProvider clock)
{
    private const int NameLengthMax = 100;

    public void Map(IEndpointRouteBuilder api)
    {
        var keys = api.MapGroup("/api-keys").For(Access.OrgAdmin).WithTags("Keys");
        keys.MapGet("", (Delegate)ListKeys).Produces<IReadOnlyList<ApiKeyView>>().WithSummary("The tenant's keys, revoked ones included.");
        keys.MapPost("", CreateKey).Produces<NewApiKey>(StatusCodes.Status201Created).WithSummary("Make a key. The secret is in this answer and nowhere else.");
        keys.MapDelete("/{id}", RevokeKey).Produces(StatusCodes.Status204NoContent).WithSummary("Revoke a key. Its next request fails.");

        api.MapPost("/tenants", CreateTenant).For(Access.Operator).WithTags("Server").Produces<NewApiKey>(StatusCodes.Status201Created)
            .WithSummary("Make a tenant and the first key of its admin.");
    }

    private async Task<IResult> ListKeys(HttpContext http) =>
        Replies.Json((await parts.Keys.ListAsync(http.Principal().Tenant, http.RequestAborted)).Select(WireMapping.ToView).ToList());

    private async Task<IResult> CreateKey(ApiKeyRequest request, HttpContext http)
    {
        if (request.Name.Length is 0 or > NameLengthMax || !Words.IsPlain(request.Name))
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, $"A key's name is one line of 1 to {NameLengthMax} characters.");
        // Authority only shrinks: a tenant's admin makes no key that sees other tenants' counts or stops the server.
        if (request.Role == KeyRole.PlatformAdmin && http.Principal().Tenant != parts.HomeTenant)
            return Problems.Of(StatusCodes.Status403Forbidden, "A platform admin's key is made by whoever runs the server.");
        return Replies.Json(await CreateAsync(http.Principal().Tenant, request.Name, WireMapping.ToGovernance(request.Role), http.RequestAborted), StatusCodes.Status201Created);
    }

    private async Task<IResult> RevokeKey(Guid id, HttpContext http) =>
        await parts.Keys.RevokeAsync(http.Principal().Tenant, id, http.RequestAborted)
            ? Results.NoContent()
            : Problems.Of(StatusCodes.Status404NotFound, $"There is no key {id} here.");

    private async Task<IResult> CreateTenant(TenantRequest request, HttpContext http)
    {
        if (!AgentRunner.IsName(request.Name))
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, "A tenant's name is lower-case letters, digits and dashes, at most 100.");
        var tenant = await parts.Tenants.EnsureAsync(request.Name, http.RequestAborted);
        // Whoever may make tenants still may not look into one that others use already.
        if ((await parts.Keys.ListAsync(tenant, http.RequestAborted)).Count > 0)
            return Problems.Of(StatusCodes.Status409Conflict, $"There is a tenant {request.Name} already; its own admin makes its keys.");
        return Replies.Json(await CreateAsync(tenant, "admin", Role.OrgAdmin, http.RequestAborted), StatusCodes.Status201Created);
    }

    private async ValueTask<NewApiKey> CreateAsync(TenantId tenant, string name, Role role, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var secret = ApiKeys.NewSecret();
        var key = new ApiKeyRecord(Guid.CreateVersion7(now), tenant, name, role, now, RevokedAt: null);
        await parts.Keys.AddAsync(key, ApiKeys.HashOf(secret)!, cancellationToken);
        return new NewApiKey(WireMapping.ToView(key), secret);
    }
}
