using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>The desk for goals that the tables refuse.</summary>
internal sealed class QuarantineEndpoints(KernelNode node, Replies replies)
{
    private const int ListMax = 1_000;

    public void Map(IEndpointRouteBuilder api)
    {
        var quarantine = api.MapGroup("/quarantine").WithTags("Quarantine");
        quarantine.MapGet("", (Delegate)List).Produces<IReadOnlyList<QuarantinedGoalView>>().WithSummary("Goals that the tables refuse, the latest first.");
        quarantine.MapPost("/{id}/release", Release).Produces<GoalView>().WithSummary("Make the goal's rows anew. When the tables still refuse them, the answer says why.");
        quarantine.MapPost("/{id}/discard", Discard).Produces<GoalView>().WithSummary("Give the goal up: what is not over is cancelled, and the tables forget it.");
    }

    private Task<IResult> List(HttpContext http) => replies.Of(
        http, node.ListQuarantinedAsync(http.Principal().Tenant, ListMax),
        rows => rows.Select(row => new QuarantinedGoalView(row.Goal.Value, row.Title, row.Reason, row.At)).ToList());

    private Task<IResult> Release(Guid id, HttpContext http) =>
        replies.Of(http, node.ReleaseGoalAsync(http.Principal().Caller, new GoalId(id)), WireMapping.ToView);

    private async Task<IResult> Discard(Guid id, ReasonGiven given, HttpContext http) => Words.Clean(given.Reason) is { Length: > 0 } reason
        ? await replies.Of(http, node.DiscardGoalAsync(http.Principal().Caller, new GoalId(id), reason), WireMapping.ToView)
        : Problems.Of(StatusCodes.Status422UnprocessableEntity, "A goal is given up for a reason; say it as `reason`.");
}
