using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>A goal's plan: its steps now and as they were, and edits of them, all or none. The ETag is the plan's revision.</summary>
internal sealed class PlanEndpoints(KernelNode node, Replies replies)
{
    private const string IfMatchHeader = "If-Match";

    public void Map(IEndpointRouteBuilder api)
    {
        var plan = api.MapGroup("/goals/{id}/plan").WithTags("Plans");
        plan.MapGet("", Get).Produces<PlanView>().WithSummary("The plan, with its revision as ETag; with `revision` as it was then, with `payloads` also what its steps are given and gave.");
        plan.MapGet("/steps", GetSteps).Produces<PlanSteps>().WithSummary("The plan as the steps that would make it, as PUT takes them, with its revision as ETag.");
        plan.MapGet("/diff", Diff).Produces<PlanDiff>().WithSummary("What has changed between two revisions; by default what the latest edit changed.");
        plan.MapPatch("", Edit).Produces<PlanView>().WithSummary("Edit the plan in one commit. With If-Match only if nobody has edited it since; without, whatever is there.");
        plan.MapPut("", Apply).Produces<PlanChange>().WithSummary("Make whatever edits lead to these steps, in one commit; with `dryRun` say which, and make none.");
        plan.MapPost("/validate", Validate).Produces<PlanChange>().WithSummary("Whether an edit would be taken, and which revision it would make. Changes nothing.");
        plan.MapPost("/rollback", Rollback).Produces<PlanChange>().WithSummary("Take edits back, as far as what they changed has not started; with `dryRun` say how, and do not.");
    }

    private async Task<IResult> Get(Guid id, long? revision, bool? payloads, HttpContext http)
    {
        var plan = await ReadAsync(http, new GoalId(id), revision);
        return plan.Refusal is { } refusal ? replies.Of(refusal) : Tagged(http, plan.Value, WireMapping.ToView(plan.Value, isInList: payloads != true));
    }

    private async Task<IResult> GetSteps(Guid id, HttpContext http)
    {
        var plan = await ReadAsync(http, new GoalId(id), revision: null);
        return plan.Refusal is { } refusal ? replies.Of(refusal) : Tagged(http, plan.Value, PlanTargets.ToFile(plan.Value));
    }

    private async Task<IResult> Diff(Guid id, long? from, long? to, HttpContext http)
    {
        var goal = new GoalId(id);
        var after = await ReadAsync(http, goal, to);
        if (after.Refusal is { } refusal)
            return replies.Of(refusal);
        var before = await ReadAsync(http, goal, from ?? Math.Max(1, after.Value.Goal.Revision - 1));
        return before.Refusal is { } earlier ? replies.Of(earlier) : Replies.Json(PlanDifferences.Between(before.Value, after.Value));
    }

    private async Task<IResult> Edit(Guid id, PlanPatch patch, [FromHeader(Name = IfMatchHeader)] string? ifMatch, HttpContext http)
    {
        if (!TryReadRevision(ifMatch, out var revision))
            return BadIfMatch();
        var edits = PlanEditing.ToGraph(patch.Edits);
        if (edits.Refusal is { } refusal)
            return replies.Of(refusal);
        var answer = await CommitAsync(http, new GoalId(id), revision, edits.Value, patch.Reason);
        return answer.Refusal is { } no ? await RefuseAsync(http, new GoalId(id), revision, no) : Tagged(http, answer.Value, WireMapping.ToView(answer.Value, isInList: true));
    }

    private async Task<IResult> Validate(Guid id, PlanPatch patch, [FromHeader(Name = IfMatchHeader)] string? ifMatch, HttpContext http)
    {
        if (!TryReadRevision(ifMatch, out var revision))
            return BadIfMatch();
        var edits = PlanEditing.ToGraph(patch.Edits);
        return edits.Refusal is { } refusal ? replies.Of(refusal) : await ValidateAsync(http, new GoalId(id), revision, patch.Edits, edits.Value);
    }

    private Task<IResult> Apply(Guid id, PlanTarget target, bool? dryRun, [FromHeader(Name = IfMatchHeader)] string? ifMatch, HttpContext http) =>
        ChangeAsync(http, new GoalId(id), ifMatch, dryRun == true, target.Reason ?? "A plan was applied.", now => ValueTask.FromResult(PlanTargets.Towards(now, target.Steps)));

    private Task<IResult> Rollback(Guid id, PlanRollback rollback, bool? dryRun, [FromHeader(Name = IfMatchHeader)] string? ifMatch, HttpContext http) =>
        ChangeAsync(http, new GoalId(id), ifMatch, dryRun == true, rollback.Reason ?? $"Rolled back to revision {rollback.Revision}.", async now =>
        {
            var then = await ReadAsync(http, now.Goal.Id, rollback.Revision);
            return then.Refusal is { } refusal ? refusal : PlanTargets.Back(now, then.Value);
        });

    /// <summary>Edits that follow from what the plan is now are made on exactly that revision, or not at all.</summary>
    private async Task<IResult> ChangeAsync(
        HttpContext http, GoalId goal, string? ifMatch, bool isDryRun, string reason, Func<GoalSnapshot, ValueTask<Answer<IReadOnlyList<PlanEdit>>>> find)
    {
        if (!TryReadRevision(ifMatch, out var revision))
            return BadIfMatch();
        var now = await ReadAsync(http, goal, revision: null);
        if (now.Refusal is { } refusal)
            return replies.Of(refusal);
        if (revision is { } expected && expected != now.Value.Goal.Revision)
            return Superseded(now.Value.Goal.Revision, expected);
        var found = await find(now.Value);
        if (found.Refusal is { } impossible)
            return replies.Of(impossible);
        var edits = PlanEditing.ToGraph(found.Value);
        if (edits.Refusal is { } bad)
            return replies.Of(bad);
        if (found.Value.Count == 0)
            return Replies.Json(new PlanChange(goal.Value, now.Value.Goal.Revision, []));
        if (isDryRun)
            return await ValidateAsync(http, goal, now.Value.Goal.Revision, found.Value, edits.Value);
        var answer = await CommitAsync(http, goal, now.Value.Goal.Revision, edits.Value, reason);
        return answer.Refusal is { } no
            ? await RefuseAsync(http, goal, now.Value.Goal.Revision, no)
            : Tagged(http, answer.Value, new PlanChange(goal.Value, answer.Value.Goal.Revision, found.Value));
    }

    private async Task<IResult> ValidateAsync(HttpContext http, GoalId goal, long? revision, IReadOnlyList<PlanEdit> said, IReadOnlyList<GraphEdit> edits)
    {
        var answer = await replies.Ask(node.ValidatePlanAsync(http.Principal().Caller, goal, revision, edits));
        return answer.Refusal is { } refusal ? await RefuseAsync(http, goal, revision, refusal) : Replies.Json(new PlanChange(goal.Value, answer.Value.Revision, said));
    }

    private ValueTask<Answer<GoalSnapshot>> CommitAsync(HttpContext http, GoalId goal, long? revision, IReadOnlyList<GraphEdit> edits, string? reason) =>
        replies.Ask(node.EditPlanAsync(http.Principal().Caller, goal, revision, edits, Words.Clean(reason)));

    private ValueTask<Answer<GoalSnapshot>> ReadAsync(HttpContext http, GoalId goal, long? revision) => replies.Ask(revision is { } at
        ? node.GetPlanAtAsync(http.Principal().Tenant, goal, at)
        : node.GetPlanAsync(http.Principal().Tenant, goal));

    /// <summary>A conflict is either that somebody was first, or an edit that the plan does not allow. The revision tells.</summary>
    private async Task<IResult> RefuseAsync(HttpContext http, GoalId goal, long? revision, Refusal refusal) =>
        refusal.Kind == RefusalKind.Conflict && revision is { } expected
            && await replies.Ask(node.GetGoalAsync(http.Principal().Tenant, goal)) is { IsOk: true } current && current.Value.Revision != expected
                ? Superseded(current.Value.Revision, expected)
                : replies.Of(refusal);

    private static IResult Superseded(long revision, long expected) =>
        Problems.Of(StatusCodes.Status412PreconditionFailed, $"The plan is at revision {revision}, not {expected}; read it again and edit that.");

    private static IResult BadIfMatch() =>
        Problems.Of(StatusCodes.Status400BadRequest, "If-Match holds a plan's revision in quotes, as the ETag of its GET did: \"7\".");

    private static IResult Tagged<T>(HttpContext http, GoalSnapshot plan, T view)
    {
        http.Response.Headers.ETag = $"\"{plan.Goal.Revision}\"";
        return Replies.Json(view);
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
