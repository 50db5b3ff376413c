using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Astra.Tools.Catalog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using WireGoalState = Astra.Sdk.GoalState;

namespace Astra.Gateway;

/// <summary>Goals: submit, look at, cancel.</summary>
internal sealed class GoalEndpoints(KernelNode node, ToolCatalog catalog, Replies replies)
{
    private const int IdempotencyKeyLengthMax = 200;

    public void Map(IEndpointRouteBuilder api)
    {
        var goals = api.MapGroup("/goals").WithTags("Goals");
        goals.MapPost("", Submit).Produces<GoalView>(StatusCodes.Status201Created).WithSummary("Submit a goal. The same Idempotency-Key and body again answers the same goal.");
        goals.MapGet("", List).Produces<Page<GoalView>>().WithSummary("The tenant's goals, newest first.");
        goals.MapGet("/{id}", Get).Produces<GoalView>().WithSummary("One goal, as last committed.");
        goals.MapPost("/{id}/cancel", Cancel).Produces<GoalView>().WithSummary("Cancel a goal and whatever of it has not ended.");
        goals.MapGet("/{id}/why", Why).Produces<WhyView>().WithSummary("Why is it not done? One true sentence, with evidence.");
    }

    private async Task<IResult> Submit(GoalSubmission submission, [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey, HttpContext http)
    {
        if (Check(submission, idempotencyKey) is { } problem)
            return problem;
        string? agentClass = null;
        if (submission.Agent is { } named)
        {
            // The code of the agent's class does the work; its turn among the others stays the agent's own.
            var found = await replies.Ask(node.Agents.ClassOfAsync(http.Principal().Tenant, named));
            if (found.Refusal is { } unknown)
                return replies.Of(unknown);
            agentClass = found.Value;
        }
        var plan = PlanEditing.ToGraph(InitialPlan(submission, agentClass));
        if (plan.Refusal is { } refusal)
            return replies.Of(refusal);
        var request = new GoalRequest
        {
            Agent = submission.Agent,
            Title = submission.Title ?? (submission.Agent is { } agent ? $"A goal for {agent}" : "A plan"),
            Input = WorkMapping.ToBytes(submission.Input),
            Priority = submission.Priority,
            DeadTaskPolicy = submission.OnDeadTask switch
            {
                Sdk.DeadTaskPolicy.Wait => Kernel.Tasks.DeadTaskPolicy.Wait,
                Sdk.DeadTaskPolicy.Skip => Kernel.Tasks.DeadTaskPolicy.Skip,
                _ => Kernel.Tasks.DeadTaskPolicy.Doom,
            },
            IdempotencyKey = idempotencyKey,
            Extras = (submission.RetriesMax is { } retries ? new GoalExtras { RetriesMax = retries } : GoalExtras.None).With(submission),
            Plan = plan.Value,
        };
        return await replies.Of(http, node.SubmitAsync(http.Principal().Caller, request), goal =>
        {
            http.Response.Headers.Location = $"/api/v1/goals/{goal.Id}";
            return Replies.Json(WireMapping.ToView(goal), StatusCodes.Status201Created);
        });
    }

    private async Task<IResult> List(WireGoalState? state, string? agent, string? cursor, int? limit, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } badLimit)
            return badLimit;
        if (PageQuery.Refuse(cursor, out var after) is { } badCursor)
            return badCursor;
        var count = limit ?? PageQuery.LimitDefault;
        var asked = node.ListGoalsAsync(
            http.Principal().Tenant, state is { } wanted ? WireMapping.ToKernel(wanted) : null, agent, after is { } id ? new GoalId(id) : null, count + 1);
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

    private IResult? Check(GoalSubmission submission, string? idempotencyKey)
    {
        if (submission.Agent is null && submission.Plan is not { Count: > 0 })
            return Invalid("A goal needs an agent that plans it, or a plan of its own; this one has neither.");
        if (submission.Agent is { } agent && !AgentRunner.IsName(agent))
            return Invalid($"'{Words.Clean(agent)}' cannot be an agent's name; names are lower-case letters, digits and dashes.");
        if (submission.Title is { } title && !Words.IsPlain(title))
            return Invalid("A title is one line, without control characters.");
        if (submission.Priority is < -100 or > 100)
            return Invalid($"A priority is between -100 and 100, and {submission.Priority} is not.");
        if (idempotencyKey is { Length: 0 or > IdempotencyKeyLengthMax } || idempotencyKey is not null && !Words.IsPlain(idempotencyKey))
            return Problems.Of(StatusCodes.Status400BadRequest, $"An Idempotency-Key has 1 to {IdempotencyKeyLengthMax} plain characters.");
        if (RelationMapping.Refuse(submission) is { } unrelated)
            return Invalid(unrelated);
        if (submission.Plan?.FirstOrDefault(edit => edit is not AddStep) is not null)
            return Invalid("The plan of a new goal only adds steps; there is nothing else to edit yet.");
        foreach (var step in (submission.Plan?.OfType<AddStep>() ?? []).SelectMany(WithParts))
            if (UnknownTool(step) is { } tool)
                return Invalid($"Step {step.Name} calls the tool '{tool}', and this server has none of that name; `astra tool list` shows what there is.");
        return null;
    }

    /// <summary>Tools run on the server, so one that it does not know would be waited for in vain. An agent may yet come.</summary>
    private string? UnknownTool(AddStep step) =>
        step.Executor.StartsWith("tool:", StringComparison.Ordinal) && step.Executor["tool:".Length..] is var tool && catalog.Find(tool) is null ? Words.Clean(tool) : null;

    private static IEnumerable<AddStep> WithParts(AddStep step) => [step, .. (step.FanOut ?? []).Where(part => part?.Step is not null).SelectMany(part => WithParts(part.Step))];

    /// <summary>What an agent has to do first: plan, or, when the plan is given, only reflect on it at the end.</summary>
    private static IReadOnlyList<PlanEdit> InitialPlan(GoalSubmission submission, string? agentClass)
    {
        var steps = (submission.Plan ?? []).OfType<AddStep>().ToList();
        return agentClass switch
        {
            null => steps,
            var label when steps.Count == 0 =>
                [new AddStep { Name = AgentRunner.PlanStep, Executor = AgentRunner.ExecutorOf(label), Kind = AgentRunner.PlanKind }],
            var label => [.. steps, AgentRunner.Reflection(label, steps)],
        };
    }

    private static IResult Invalid(string detail) => Problems.Of(StatusCodes.Status422UnprocessableEntity, detail);
}
