using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Single tasks, and why anything is not done.</summary>
internal sealed class TaskEndpoints(KernelNode node, Replies replies)
{
    public void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/tasks/{id}", Get).WithTags("Tasks").Produces<TaskView>().WithSummary("One task, with its input and output.");
        api.MapGet("/tasks/{id}/why", Why).WithTags("Tasks").Produces<WhyView>().WithSummary("Why is it not done? One true sentence, with evidence.");
        api.MapGet("/why/{id}", Why).WithTags("Tasks").Produces<WhyView>().WithSummary("The same for any id, of a goal or a task.");
    }

    private Task<IResult> Get(Guid id, HttpContext http) => replies.Of(
        http, node.ReadTaskAsync(http.Principal().Tenant, new TaskId(id)), task => Replies.Tagged(http, WireMapping.ToView(task)));

    private Task<IResult> Why(Guid id, HttpContext http) =>
        replies.Of(http, node.WhyAsync(http.Principal().Tenant, id), WireMapping.ToView);

    /// <summary>A task with the names of the steps it waits for, which its goal's plan knows.</summary>
    public async Task<IResult> ReplyAsync(HttpContext http, ValueTask<Answer<TaskRow>> asked)
    {
        var answer = await replies.Ask(asked);
        if (answer.Refusal is { } refusal)
            return replies.Of(refusal);
        Dictionary<TaskId, string> names = [];
        if (answer.Value.After.Count > 0 && await replies.Ask(node.GetPlanAsync(http.Principal().Tenant, answer.Value.Goal)) is { IsOk: true } plan)
            names = WireMapping.NamesOf(plan.Value);
        return Replies.Json(WireMapping.ToView(answer.Value, names.GetValueOrDefault, isInList: false));
    }
}
