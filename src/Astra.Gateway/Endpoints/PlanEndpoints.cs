using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>A goal's plan: its steps now, and edits of them, all or none. The ETag is the plan's revision.</summary>
internal sealed class PlanEndpoints(KernelNode node, PlanEditing editing, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var plan = api.MapGroup("/goals/{id}/plan").WithTags("Plans");
        plan.MapGet("", Get).Produces<PlanView>().WithSummary("The plan, with its revision as ETag.");
        plan.MapPatch("", Edit).Produces<PlanView>().WithSummary("Edit the plan in one commit. With If-Match only if nobody has edited it since; without, whatever is there.");
    }

    private Task<IResult> Get(Guid id, HttpContext http) =>
        replies.Of(http, node.GetPlanAsync(http.Principal().Tenant, new GoalId(id)), plan => Tagged(http, plan));

    private async Task<IResult> Edit(Guid id, PlanPatch patch, [FromHeader(Name = "If-Match")] string? ifMatch, HttpContext http)
    {
        if (!TryReadRevision(ifMatch, out var revision))
            return Problems.Of(StatusCodes.Status400BadRequest, "If-Match holds a plan's revision in quotes, as the ETag of its GET did: \"7\".");
        var goal = new GoalId(id);
        var caller = http.Principal().Caller;
        var answer = await replies.Ask(editing.CommitAsync(
            caller.Tenant, goal, patch.Edits, edits => node.EditPlanAsync(caller, goal, revision, edits, Words.Clean(patch.Reason))));
        if (answer.Refusal is not { } refusal)
            return Tagged(http, answer.Value);

        // A conflict is either that somebody was first, or an edit that the plan does not allow. The revision tells.
        if (refusal.Kind == RefusalKind.Conflict && revision is not null
            && await replies.Ask(node.GetGoalAsync(caller.Tenant, goal)) is { IsOk: true } current && current.Value.Revision != revision)
            return Problems.Of(StatusCodes.Status412PreconditionFailed, $"The plan is at revision {current.Value.Revision}, not {revision}; read it again and edit that.");
        return replies.Of(refusal);
    }

    private static IResult Tagged(HttpContext http, GoalSnapshot plan)
    {
        http.Response.Headers.ETag = $"\"{plan.Goal.Revision}\"";
        return Replies.Json(WireMapping.ToView(plan));
    }

    private static bool TryReadRevision(string? ifMatch, out long? revision)
    {
        revision = null;
        if (string.IsNullOrEmpty(ifMatch) || ifMatch == "*")
            return true;
        if (ifMatch is not ['"', .. var number, '"'] || !long.TryParse(number, out var parsed))
            return false;
        revision = parsed;
        return true;
    }
}
