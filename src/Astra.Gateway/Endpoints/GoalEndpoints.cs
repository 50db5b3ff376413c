using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using KernelGoalState = Astra.Kernel.Tasks.GoalState;
using WireGoalState = Astra.Sdk.GoalState;

namespace Astra.Gateway;

/// <summary>Goals: submit, look at, cancel.</summary>
internal sealed class GoalEndpoints(KernelNode node, IProfileStore? profiles, Submissions submissions, Replies replies)
{
    private const int IdempotencyKeyLengthMax = 200;

    public void Map(IEndpointRouteBuilder api)
    {
        var goals = api.MapGroup("/goals").WithTags("Goals");
        goals.MapPost("", Submit).Produces<GoalView>(StatusCodes.Status201Created).WithSummary("Submit a goal. The same Idempotency-Key and body again answers the same goal.");
        goals.MapGet("", List).Produces<Page<GoalView>>().WithSummary("The tenant's goals, newest first.");
        goals.MapGet("/{id}", Get).Produces<GoalView>().WithSummary("One goal, as last committed.");
        goals.MapGet("/{id}/children", Children).Produces<Page<GoalView>>().WithSummary("The goals whose parent it is, newest first.");
        goals.MapPost("/{id}/cancel", Cancel).Produces<GoalView>().WithSummary("Cancel a goal and whatever of it has not ended.");
        goals.MapPost("/{id}/pause", Pause).Produces<GoalView>().WithSummary("Hand out nothing of it any more; what runs goes on to its end.");
        goals.MapPost("/{id}/resume", Resume).Produces<GoalView>().WithSummary("Hand it out again.");
        goals.MapGet("/{id}/why", Why).Produces<WhyView>().WithSummary("Why is it not done? One true sentence, with evidence.");
    }

    private async Task<IResult> Submit(GoalSubmission submission, [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey, HttpContext http)
    {
        if (Check(idempotencyKey) is { } problem)
            return problem;
        var request = await submissions.ReadAsync(submission, named => ClassOfAsync(named, http));
        if (request.Refusal is { } refusal)
            return replies.Of(refusal);
        return await replies.Of(http, node.SubmitAsync(http.Principal().Caller, request.Value with { IdempotencyKey = idempotencyKey }), goal =>
        {
            http.Response.Headers.Location = $"/api/v1/goals/{goal.Id}";
            return Replies.Json(WireMapping.ToView(goal), StatusCodes.Status201Created);
        });
    }

    /// <summary>A goal for a profile that is not there, or no more, would only fail; whoever asks for it hears so at once.</summary>
    private async ValueTask<Answer<string>> ClassOfAsync(string agent, HttpContext http)
    {
        var tenant = http.Principal().Tenant;
        var found = await replies.Ask(node.Agents.ClassOfAsync(tenant, agent));
        return found.Refusal is null && found.Value == AgentProfile.Class && profiles is not null && await profiles.FindAsync(tenant, agent, digest: null, http.RequestAborted) is null
            ? new Refusal(RefusalKind.Invalid, StoredProfile.NoneOf(agent))
            : found;
    }

    private Task<IResult> List(string? state, string? agent, string? cursor, int? limit, HttpContext http) => PageOf(
        state, cursor, limit, http, (wanted, after, count) => node.ListGoalsAsync(http.Principal().Tenant, wanted, agent, after, count));

    private Task<IResult> Children(Guid id, string? state, string? cursor, int? limit, HttpContext http) => PageOf(
        state, cursor, limit, http, (wanted, after, count) => node.ListChildrenAsync(http.Principal().Tenant, new GoalId(id), wanted, after, count));

    private async Task<IResult> PageOf(
        string? state, string? cursor, int? limit, HttpContext http, Func<KernelGoalState?, GoalId?, int, ValueTask<Answer<IReadOnlyList<GoalRow>>>> list)
    {
        // Bound by hand: the framework takes a state only as C# writes it, and everything else of the API says `failed`.
        if (PageQuery.Refuse<WireGoalState>("state", state, out var wanted) is { } badState)
            return badState;
        if (PageQuery.Refuse(limit) is { } badLimit)
            return badLimit;
        if (PageQuery.Refuse(cursor, out var after) is { } badCursor)
            return badCursor;
        var count = limit ?? PageQuery.LimitDefault;
        var asked = list(wanted is { } named ? WireMapping.ToKernel(named) : null, after is { } id ? new GoalId(id) : null, count + 1);
        return await replies.Of(http, asked, rows => Replies.Tagged(http, PageQuery.ToPage(rows, count, WireMapping.ToView, row => row.Id.Value)));
    }

    private Task<IResult> Get(Guid id, HttpContext http) =>
        replies.Of(http, node.GetGoalAsync(http.Principal().Tenant, new GoalId(id)), goal => Replies.Tagged(http, WireMapping.ToView(goal)));

    private Task<IResult> Cancel(Guid id, ReasonGiven? given, HttpContext http)
    {
        var reason = Words.Clean(given?.Reason) is { Length: > 0 } said ? said : $"Cancelled by {http.Principal().Caller.Principal}.";
        return replies.Of(http, node.CancelGoalAsync(http.Principal().Caller, new GoalId(id), reason), WireMapping.ToView);
    }

    private Task<IResult> Why(Guid id, HttpContext http) =>
        replies.Of(http, node.WhyAsync(http.Principal().Tenant, id), WireMapping.ToView);

    private Task<IResult> Pause(Guid id, ReasonGiven? given, HttpContext http) => replies.Of(
        http, node.PauseGoalAsync(http.Principal().Caller, new GoalId(id), Words.Clean(given?.Reason) is { Length: > 0 } said ? said : null), WireMapping.ToView);

    private Task<IResult> Resume(Guid id, HttpContext http) => replies.Of(http, node.ResumeGoalAsync(http.Principal().Caller, new GoalId(id)), WireMapping.ToView);

    private static IResult? Check(string? idempotencyKey) =>
        idempotencyKey is { Length: 0 or > IdempotencyKeyLengthMax } || idempotencyKey is not null && !Words.IsPlain(idempotencyKey)
            ? Problems.Of(StatusCodes.Status400BadRequest, $"An Idempotency-Key has 1 to {IdempotencyKeyLengthMax} plain characters.")
            : null;
}
