using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Single tasks, why anything is not done, and the desk for tasks that died.</summary>
internal sealed class TaskEndpoints(KernelNode node, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/tasks/{id}", Get).WithTags("Tasks").Produces<TaskView>().WithSummary("One task, with its input and output.");
        api.MapGet("/tasks/{id}/why", Why).WithTags("Tasks").Produces<WhyView>().WithSummary("Why is it not done? One true sentence, with evidence.");
        api.MapGet("/why/{id}", Why).WithTags("Tasks").Produces<WhyView>().WithSummary("The same for any id, of a goal or a task.");

        var dead = api.MapGroup("/dead-letters").WithTags("Dead letters");
        dead.MapGet("", List).Produces<Page<DeadLetterView>>().WithSummary("Tasks that will not be tried again by themselves.");
        dead.MapGet("/{id}", GetDead).Produces<DeadLetterView>().WithSummary("One of them.");
        dead.MapPost("/{id}/replay", Replay).Produces<TaskView>().WithSummary("Try it again, with fresh attempts.");
        dead.MapPost("/{id}/discard", Discard).Produces<TaskView>().WithSummary("Give it up, with the reason.");
    }

    private Task<IResult> Get(Guid id, HttpContext http) => replies.Of(
        http, node.ReadTaskAsync(http.Principal().Tenant, new TaskId(id)), task => Replies.Tagged(http, WireMapping.ToView(task)));

    private Task<IResult> Why(Guid id, HttpContext http) =>
        replies.Of(http, node.WhyAsync(http.Principal().Tenant, id), WireMapping.ToView);

    private async Task<IResult> List(string? cursor, int? limit, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } badLimit)
            return badLimit;
        if (PageQuery.Refuse(cursor, out var after) is { } badCursor)
            return badCursor;
        var tenant = http.Principal().Tenant;
        var count = limit ?? PageQuery.LimitDefault;
        var answer = await replies.Ask(node.ListDeadTasksAsync(tenant, after is { } id ? new TaskId(id) : null, count + 1));
        if (answer.Refusal is { } refusal)
            return replies.Of(refusal);
        var goals = new Dictionary<GoalId, GoalRow?>();
        foreach (var task in answer.Value.Take(count))
            if (!goals.ContainsKey(task.Goal))
                goals[task.Goal] = await replies.Ask(node.GetGoalAsync(tenant, task.Goal)) is { IsOk: true } goal ? goal.Value : null;
        return Replies.Json(PageQuery.ToPage(
            answer.Value, count, task => ToDeadLetter(task, goals[task.Goal], _ => null, isInList: true), task => task.Id.Value));
    }

    private async Task<IResult> GetDead(Guid id, HttpContext http)
    {
        var tenant = http.Principal().Tenant;
        var answer = await replies.Ask(node.GetTaskAsync(tenant, new TaskId(id)));
        if (answer.Refusal is { } refusal)
            return replies.Of(refusal);
        if (answer.Value.State != Kernel.Tasks.TaskState.Dead)
            return Problems.Of(StatusCodes.Status404NotFound, $"Task {id} is no dead letter; it is {answer.Value.State.ToString().ToLowerInvariant()}.");
        var plan = await replies.Ask(node.GetPlanAsync(tenant, answer.Value.Goal));
        return plan.Refusal is { } unknown ? replies.Of(unknown)
            : Replies.Json(ToDeadLetter(answer.Value, plan.Value.Goal, WireMapping.NamesOf(plan.Value).GetValueOrDefault, isInList: false));
    }

    private Task<IResult> Replay(Guid id, HttpContext http) => ReplyAsync(http, node.RedriveAsync(http.Principal().Caller, new TaskId(id)));

    private Task<IResult> Discard(Guid id, ReasonGiven? given, HttpContext http)
    {
        var reason = Words.Clean(given?.Reason) is { Length: > 0 } said ? said : $"Discarded by {http.Principal().Caller.Principal}.";
        return ReplyAsync(http, node.DiscardAsync(http.Principal().Caller, new TaskId(id), reason));
    }

    /// <summary>A task with the names of the steps it waits for, which its goal's plan knows.</summary>
    private async Task<IResult> ReplyAsync(HttpContext http, ValueTask<Answer<TaskRow>> asked)
    {
        var answer = await replies.Ask(asked);
        if (answer.Refusal is { } refusal)
            return replies.Of(refusal);
        Dictionary<TaskId, string> names = [];
        if (answer.Value.After.Count > 0 && await replies.Ask(node.GetPlanAsync(http.Principal().Tenant, answer.Value.Goal)) is { IsOk: true } plan)
            names = WireMapping.NamesOf(plan.Value);
        return Replies.Json(WireMapping.ToView(answer.Value, names.GetValueOrDefault, isInList: false));
    }

    private static DeadLetterView ToDeadLetter(TaskRow task, GoalRow? goal, Func<TaskId, string?> nameOf, bool isInList) => new(
        WireMapping.ToView(task, nameOf, isInList), goal?.Title ?? "", goal?.Agent, task.Failure?.Fingerprint ?? "");
}
