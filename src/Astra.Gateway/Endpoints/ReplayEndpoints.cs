using Astra.Agents.Replaying;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Goals once more: reproduced from what was recorded of them, or forked at one of their steps.</summary>
internal sealed class ReplayEndpoints(KernelNode node, GoalReplay? replay, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var goal = api.MapGroup("/goals/{id}").WithTags("Goals");
        goal.MapPost("/fork", Fork).Produces<GoalView>(StatusCodes.Status201Created).WithSummary("A new goal that runs this one again from a step on; what comes before ends as it did and costs nothing.");
        if (replay is not null)
            goal.MapPost("/replay", Replay).Produces<ReplayView>().WithSummary("Reproduce a goal that has ended from its recordings, with nobody asked and nothing changed, and compare.");
    }

    private async Task<IResult> Fork(Guid id, ForkRequest request, HttpContext http)
    {
        var fork = await replies.Ask(GoalFork.OfAsync(node, http.Principal().Tenant, new GoalId(id), request.At));
        if (fork.Refusal is { } refusal)
            return replies.Of(refusal);
        return await replies.Of(http, node.SubmitAsync(http.Principal().Caller, fork.Value), made =>
        {
            http.Response.Headers.Location = $"/api/v1/goals/{made.Id}";
            return Replies.Json(WireMapping.ToView(made), StatusCodes.Status201Created);
        });
    }

    private async Task<IResult> Replay(Guid id, HttpContext http)
    {
        var source = await replies.Ask(node.GetPlanAsync(http.Principal().Tenant, new GoalId(id)));
        if (source.Refusal is { } unknown)
            return replies.Of(unknown);
        var outcome = await replay!.RunAsync(source.Value, http.RequestAborted);
        return outcome.Refusal is { } refusal ? replies.Of(refusal) : Replies.Json(ToView(outcome.Value));
    }

    private static ReplayView ToView(ReplayOutcome outcome) => new(
        outcome.Goal.Value, outcome.OriginalHash, outcome.ReplayHash, outcome.IsSame,
        [.. outcome.Steps.Select(step => new ReplayedStepView(step.Name, step.Key, step.Original, step.Replayed, step.IsRunAgain, step.Problem))], outcome.Problems);
}
