using System.Globalization;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tools.Webhooks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Where a tenant is told of failures: its hooks, and what there was to tell.</summary>
internal sealed class HookEndpoints(HookDesk desk, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var hooks = api.MapGroup("/hooks").WithTags("Hooks");
        hooks.MapGet("", (Delegate)List).Produces<IReadOnlyList<HookView>>().WithSummary("The tenant's hooks and how they are doing.");
        hooks.MapGet("/{id}", Get).Produces<HookDetail>().WithSummary("A hook with its latest messages.");
        // A hook carries what is in a tenant's failures out of the server: that is for who answers for the tenant.
        hooks.MapPost("", Add).For(Access.OrgAdmin).Produces<NewHook>(StatusCodes.Status201Created).WithSummary("Add a hook. Its secret is in this answer and nowhere else.");
        hooks.MapPost("/{id}/test", Test).For(Access.OrgAdmin).Produces<DeliveryView>().WithSummary("Send a message right now, once, and say what came of it.");
        hooks.MapDelete("/{id}", Remove).For(Access.OrgAdmin).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a hook with everything that waits for it.");

        api.MapGet("/dead-letters/events", Events).WithTags("Dead letters").Produces<Page<FailureEventView>>()
            .WithSummary("New groups and hours with deaths, in the order in which they were noticed; `after` is the `seq` of the last one seen.");
    }

    private async Task<IResult> List(HttpContext http) => Replies.Json(await desk.ListAsync(http.Principal().Tenant, http.RequestAborted));

    private Task<IResult> Get(Guid id, HttpContext http) =>
        replies.Of(http, desk.GetAsync(http.Principal().Tenant, new HookId(id), http.RequestAborted), detail => Replies.Json(detail));

    private Task<IResult> Add(HookRequest request, HttpContext http) =>
        replies.Of(http, desk.AddAsync(http.Principal().Caller, request, http.RequestAborted), hook => Replies.Json(hook, StatusCodes.Status201Created));

    private Task<IResult> Test(Guid id, HttpContext http) =>
        replies.Of(http, desk.TestAsync(http.Principal().Caller, new HookId(id), http.RequestAborted), delivery => Replies.Json(delivery));

    private async Task<IResult> Remove(Guid id, HttpContext http) =>
        await desk.RemoveAsync(http.Principal().Tenant, new HookId(id), http.RequestAborted) is { } refusal ? replies.Of(refusal) : Results.NoContent();

    private async Task<IResult> Events(long? after, int? limit, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } bad)
            return bad;
        var count = limit ?? PageQuery.LimitDefault;
        var events = await desk.ListEventsAsync(http.Principal().Tenant, after ?? 0, count + 1, http.RequestAborted);
        var page = events.Take(count).ToList();
        return Replies.Json(new Page<FailureEventView>(page, events.Count > count ? page[^1].Seq!.Value.ToString(CultureInfo.InvariantCulture) : null));
    }
}
