using Astra.Agents;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>What a tenant has: keys, and agents it can address by name. And how a new tenant begins.</summary>
internal sealed class TenantEndpoints(GatewayParts parts, TimeProvider clock)
{
    private const int NameLengthMax = 100;
    private const int DescriptionLengthMax = 1_000;

    public void Map(IEndpointRouteBuilder api)
    {
        var agents = api.MapGroup("/agents").WithTags("Agents");
        agents.MapGet("", (Delegate)ListAgents).Produces<IReadOnlyList<AgentView>>().WithSummary("The tenant's agents, and how many workers offer each here.");
        agents.MapPost("", RegisterAgent).Produces<AgentView>(StatusCodes.Status201Created).WithSummary("Register an agent, or describe it anew.");

        var keys = api.MapGroup("/api-keys").For(Access.OrgAdmin).WithTags("Keys");
        keys.MapGet("", (Delegate)ListKeys).Produces<IReadOnlyList<ApiKeyView>>().WithSummary("The tenant's keys, revoked ones included.");
        keys.MapPost("", CreateKey).Produces<NewApiKey>(StatusCodes.Status201Created).WithSummary("Make a key. The secret is in this answer and nowhere else.");
        keys.MapDelete("/{id}", RevokeKey).Produces(StatusCodes.Status204NoContent).WithSummary("Revoke a key. Its next request fails.");

        api.MapPost("/tenants", CreateTenant).For(Access.Operator).WithTags("Server").Produces<NewApiKey>(StatusCodes.Status201Created)
            .WithSummary("Make a tenant and the first key of its admin.");
    }

    private async Task<IResult> ListAgents(HttpContext http)
    {
        var tenant = http.Principal().Tenant;
        var agents = await parts.Agents.ListAsync(tenant, http.RequestAborted);
        var workers = (await parts.Node.SummariseAsync()).Workers;
        return Replies.Json(agents.Select(agent => ToView(agent, tenant, workers)).ToList());
    }

    private async Task<IResult> RegisterAgent(AgentRegistration registration, HttpContext http)
    {
        if (Refuse(registration) is { } refusal)
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, refusal);
        var tenant = http.Principal().Tenant;
        await parts.Agents.RegisterAsync(tenant, registration.Name, registration.Description, http.RequestAborted);
        var agent = (await parts.Agents.ListAsync(tenant, http.RequestAborted)).First(known => known.Name == registration.Name);
        return Replies.Json(ToView(agent, tenant, (await parts.Node.SummariseAsync()).Workers), StatusCodes.Status201Created);
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

    public static string? Refuse(AgentRegistration agent) =>
        !AgentRunner.IsName(agent.Name) ? "An agent's name is lower-case letters, digits and dashes, at most 100."
        : agent.Description.Length > DescriptionLengthMax || !Words.IsPlain(agent.Description) ? $"An agent's description is one line of at most {DescriptionLengthMax} characters."
        : null;

    private static AgentView ToView(RegisteredAgent agent, TenantId tenant, IReadOnlyList<WorkerSummary> workers) => new()
    {
        Name = agent.Name,
        Description = agent.Description,
        RegisteredAt = agent.RegisteredAt,
        WorkerCount = workers.Count(worker => (worker.Tenant is null || worker.Tenant == tenant) && worker.Executors.Contains(AgentRunner.ExecutorOf(agent.Name))),
    };
}
