using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using KernelScope = Astra.Kernel.Controls.LimitScope;
using WireScope = Astra.Sdk.LimitScope;

namespace Astra.Gateway;

/// <summary>What people tell the scheduler: limits, weights, paused agents, and that a node drains.</summary>
internal sealed class ControlEndpoints(GatewayParts parts, Replies replies, Func<CancellationToken, Task<StatusView>> status)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var limits = api.MapGroup("/limits").WithTags("Scheduling");
        limits.MapGet("", (Delegate)List).Produces<ControlsView>().WithSummary("The tenant's limits, weights and paused agents.");
        limits.MapPut("", Set).For(Access.OrgAdmin).Produces<ControlsView>().WithSummary("Set a limit, or set it anew. In force on every node within a lease renewal.");
        limits.MapDelete("/{scope}", RemoveOfTenant).For(Access.OrgAdmin).Produces<ControlsView>().WithSummary("Remove the tenant's own limit.");
        limits.MapDelete("/{scope}/{name}", Remove).For(Access.OrgAdmin).Produces<ControlsView>().WithSummary("Remove the limit of an agent, tool or queue.");

        var agents = api.MapGroup("/agents/{name}").WithTags("Agents");
        agents.MapPost("/pause", Pause).Produces<ControlsView>().WithSummary("Hand out nothing of this agent's goals any more; what runs goes on to its end.");
        agents.MapPost("/resume", Resume).Produces<ControlsView>().WithSummary("Hand it out again.");
        agents.MapPut("/weight", WeighAgent).For(Access.OrgAdmin).Produces<ControlsView>().WithSummary("The agent's weight among the tenant's agents; 100 is what everyone has.");
        agents.MapGet("/why", Why).Produces<WhyView>().WithSummary("Where does it stand? One true sentence, with evidence.");

        api.MapPut("/tenants/{name}/weight", WeighTenant).For(Access.Operator).WithTags("Server").Produces<WeightView>().WithSummary("A tenant's weight among the tenants; 100 is what everyone has.");
        api.MapPost("/drain", Drain).For(Access.Operator).WithTags("Server").Produces<StatusView>().WithSummary("This node hands nothing out any more and gives its shards away; or does again.");
    }

    private Task<IResult> List(HttpContext http) => replies.Of(http, parts.Node.GetControlsAsync(http.Principal().Tenant), ToView);

    private Task<IResult> Set(LimitView limit, HttpContext http) => Change(http, new ControlChange.SetLimit(
        new Limit(ToKernel(limit.Scope), limit.Name ?? "", limit.Concurrency, limit.PerSecond, limit.PerMinute)));

    private Task<IResult> RemoveOfTenant(string scope, HttpContext http) => Remove(scope, "", http);

    private Task<IResult> Remove(string scope, string name, HttpContext http) => Enum.TryParse<WireScope>(scope, ignoreCase: true, out var known) && Enum.IsDefined(known)
        ? Change(http, new ControlChange.RemoveLimit(ToKernel(known), name))
        : Task.FromResult(Problems.Of(StatusCodes.Status422UnprocessableEntity, $"'{Words.Clean(scope)}' cannot have a limit; tenant, agent, tool and queue can."));

    private Task<IResult> Pause(string name, ReasonGiven? given, HttpContext http) => OfAgent(
        name, () => replies.Of(http, parts.Node.PauseAgentAsync(http.Principal().Caller, name, Words.Clean(given?.Reason) is { Length: > 0 } said ? said : null), ToView));

    private Task<IResult> Resume(string name, HttpContext http) => OfAgent(name, () => replies.Of(http, parts.Node.ResumeAgentAsync(http.Principal().Caller, name), ToView));

    private Task<IResult> WeighAgent(string name, WeightRequest request, HttpContext http) =>
        OfAgent(name, () => Change(http, new ControlChange.SetWeight(new Weight(name, request.Weight))));

    private Task<IResult> Why(string name, HttpContext http) =>
        OfAgent(name, async () =>
        {
            var code = await replies.Ask(parts.Node.Agents.ClassOfAsync(http.Principal().Tenant, name));
            return code.Refusal is { } refusal ? replies.Of(refusal)
                : await replies.Of(http, parts.Node.WhyAgentAsync(http.Principal().Tenant, name, AgentRunner.ExecutorOf(code.Value)), WireMapping.ToView);
        });

    private async Task<IResult> WeighTenant(string name, WeightRequest request, HttpContext http)
    {
        if (await parts.Tenants.FindAsync(name, http.RequestAborted) is not { } tenant)
            return Problems.Of(StatusCodes.Status404NotFound, $"There is no tenant '{Words.Clean(name)}' here.");
        return await replies.Of(http, parts.Node.ChangeControlsAsync(tenant, new ControlChange.SetWeight(new Weight("", request.Weight))), _ => new WeightView(null, request.Weight));
    }

    private async Task<IResult> Drain(DrainRequest request, HttpContext http)
    {
        await parts.Node.DrainAsync(request.Draining);
        return Replies.Json(await status(http.RequestAborted));
    }

    private Task<IResult> Change(HttpContext http, ControlChange change) => replies.Of(http, parts.Node.ChangeControlsAsync(http.Principal().Tenant, change), ToView);

    private static Task<IResult> OfAgent(string name, Func<Task<IResult>> then) => AgentRunner.IsName(name)
        ? then()
        : Task.FromResult(Problems.Of(StatusCodes.Status422UnprocessableEntity, $"'{Words.Clean(name)}' cannot be an agent's name; names are lower-case letters, digits and dashes."));

    private static KernelScope ToKernel(WireScope scope) => (KernelScope)((int)scope + 1);

    private static ControlsView ToView(TenantControls controls) => new(
        [.. controls.Limits.Select(limit => new LimitView
        {
            Scope = (WireScope)((int)limit.Scope - 1), Name = limit.Name.Length == 0 ? null : limit.Name,
            Concurrency = limit.Concurrency, PerSecond = limit.PerSecond, PerMinute = limit.PerMinute,
        })],
        [.. controls.Weights.Select(weight => new WeightView(weight.Agent.Length == 0 ? null : weight.Agent, weight.Value))],
        [.. controls.PausedAgents.Select(paused => new PausedAgentView(paused.Agent, new PauseView(paused.By, paused.Reason, paused.At)))]);
}
