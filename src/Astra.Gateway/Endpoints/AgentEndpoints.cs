using Astra.Agents;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Agents as rows: create, list, look at, remove. That they exist costs nothing; a message wakes them.</summary>
internal sealed class AgentEndpoints(GatewayParts parts, Replies replies)
{
    private const int DescriptionLengthMax = 1_000;
    private const int BatchMax = 10_000;
    private const double IdleSecondsMin = 1;
    private const double IdleSecondsMax = 7 * 24 * 3600;

    public void Map(IEndpointRouteBuilder api)
    {
        var agents = api.MapGroup("/agents").WithTags("Agents");
        agents.MapGet("", List).Produces<Page<AgentView>>().WithSummary("The tenant's agents by name, and how many workers offer each one's class here.");
        agents.MapPost("", Register).Produces<AgentView>(StatusCodes.Status201Created).WithSummary("Register an agent, or describe it anew.");
        agents.MapPost("/batch", CreateMany).Produces<AgentBatchAnswer>(StatusCodes.Status201Created).WithSummary("Create up to 10,000 agents. Those that are there already stay as they are.");
        agents.MapGet("/{name}", Get).Produces<AgentView>().WithSummary("One agent with its state, as last committed.");
        agents.MapDelete("/{name}", Remove).Produces(StatusCodes.Status204NoContent).WithSummary("Remove an agent and its state, behind what it has in hand.");
    }

    private async Task<IResult> List(string? cursor, int? limit, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } badLimit)
            return badLimit;
        if (!string.IsNullOrEmpty(cursor) && !AgentRunner.IsName(cursor))
            return Problems.Of(StatusCodes.Status400BadRequest, "The cursor is not one of this server's; take it from `next` of the page before.");
        var count = limit ?? PageQuery.LimitDefault;
        var tenant = http.Principal().Tenant;
        var rows = await parts.Agents.ListAsync(tenant, string.IsNullOrEmpty(cursor) ? null : cursor, count + 1, http.RequestAborted);
        var workers = (await parts.Node.SummariseAsync()).Workers;
        return Replies.Json(new Page<AgentView>([.. rows.Take(count).Select(row => ToView(row, workers))], rows.Count > count ? rows[count - 1].Name : null));
    }

    private async Task<IResult> Register(AgentRegistration registration, HttpContext http)
    {
        if (Refuse(registration) is { } refusal)
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, refusal);
        var row = await parts.Agents.RegisterAsync(http.Principal().Tenant, ToDefinition(registration), http.RequestAborted);
        if (row is null)
            return Problems.Of(StatusCodes.Status409Conflict, $"There is an agent {registration.Name} of another class already; remove it first, or choose another name.");
        http.Response.Headers.Location = $"/api/v1/agents/{row.Name}";
        return Replies.Json(ToView(row, (await parts.Node.SummariseAsync()).Workers), StatusCodes.Status201Created);
    }

    private async Task<IResult> CreateMany(AgentBatch batch, HttpContext http)
    {
        if (batch.Agents.Count is 0 or > BatchMax)
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, $"A batch has 1 to {BatchMax} agents, not {batch.Agents.Count}.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < batch.Agents.Count; i++)
        {
            var agent = batch.Agents[i];
            if ((agent is null ? "An agent has a name." : Refuse(agent)) is { } refusal)
                return Problems.Of(StatusCodes.Status422UnprocessableEntity, $"Agent {i + 1} of the batch: {refusal}");
            if (!names.Add(agent!.Name))
                return Problems.Of(StatusCodes.Status422UnprocessableEntity, $"The batch has two agents named {agent.Name}; a name is one agent.");
        }
        var created = await parts.Agents.CreateAsync(http.Principal().Tenant, [.. batch.Agents.Select(ToDefinition)], http.RequestAborted);
        return Replies.Json(new AgentBatchAnswer(created, batch.Agents.Count - created), StatusCodes.Status201Created);
    }

    private async Task<IResult> Get(string name, HttpContext http) =>
        await parts.Agents.LoadAsync(http.Principal().Tenant, name, http.RequestAborted) is { } row
            ? Replies.Json(await ViewOfAsync(row, http.RequestAborted))
            : Problems.Of(StatusCodes.Status404NotFound, $"There is no agent {Words.Clean(name)} here.");

    private async Task<IResult> Remove(string name, HttpContext http)
    {
        // The kernel ends this by itself, within the patience of a message.
        var answer = await parts.Node.Agents.RemoveAsync(http.Principal().Caller, name);
        return answer.Refusal is { } refusal ? replies.Of(refusal) : Results.NoContent();
    }

    public async Task<AgentView> ViewOfAsync(AgentRow row, CancellationToken cancellationToken) => ToView(row, (await parts.Node.SummariseAsync()).Workers) with
    {
        State = WorkMapping.ToJson(row.State),
        Profile = row.Class == AgentProfile.Class && parts.Profiles is { } profiles ? (await profiles.FindAsync(row.Tenant, row.Name, digest: null, cancellationToken))?.Read() : null,
    };

    public static string? Refuse(AgentRegistration agent) =>
        !AgentRunner.IsName(agent.Name) ? "An agent's name is lower-case letters, digits and dashes, at most 100."
        : agent.Class is { } agentClass && !AgentRunner.IsName(agentClass) ? "An agent's class is lower-case letters, digits and dashes, at most 100."
        : agent.Description.Length > DescriptionLengthMax || !Words.IsPlain(agent.Description) ? $"An agent's description is one line of at most {DescriptionLengthMax} characters."
        : agent.IdleSeconds is { } idle and not (>= IdleSecondsMin and <= IdleSecondsMax) ? $"An agent sleeps after {IdleSecondsMin} to {IdleSecondsMax} idle seconds, not {idle}."
        : null;

    public static AgentDefinition ToDefinition(AgentRegistration agent) =>
        new(agent.Name, agent.Class, agent.Description, agent.IdleSeconds is { } idle ? TimeSpan.FromSeconds(idle) : null);

    private static AgentView ToView(AgentRow row, IReadOnlyList<WorkerSummary> workers) => new()
    {
        Name = row.Name,
        Class = row.Class,
        Description = row.Description,
        RegisteredAt = row.RegisteredAt,
        IdleSeconds = row.IdleTimeout?.TotalSeconds,
        StateVersion = row.StateVersion,
        StateSavedAt = row.SavedAt,
        WorkerCount = workers.Count(worker => (worker.Tenant is null || worker.Tenant == row.Tenant) && worker.Executors.Contains(AgentRunner.ExecutorOf(row.Class))),
    };
}
