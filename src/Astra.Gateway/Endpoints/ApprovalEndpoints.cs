using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>What waits for people to agree to it, and their votes.</summary>
internal sealed class ApprovalEndpoints(KernelNode node, Replies replies, TaskEndpoints tasks)
{
    public void Map(IEndpointRouteBuilder api)
    {
        var approvals = api.MapGroup("/approvals").WithTags("Approvals");
        approvals.MapGet("", List).Produces<Page<ApprovalRequestView>>().WithSummary("Tasks that wait for people's votes, newest first.");
        approvals.MapPost("/{id}/votes", Vote).For(Access.OrgAdmin).Produces<TaskView>()
            .WithSummary("Approve or deny what the task is, as its `digest` says; 409 when it is something else by now, 403 for whoever has asked for it.");
    }

    private async Task<IResult> List(string? cursor, int? limit, HttpContext http)
    {
        if ((PageQuery.Refuse(limit) ?? PageQuery.Refuse(cursor, out _)) is { } bad)
            return bad;
        PageQuery.Refuse(cursor, out var after);
        var count = limit ?? PageQuery.LimitDefault;
        var asked = node.ListApprovalsAsync(http.Principal().Tenant, after is { } id ? new TaskId(id) : null, count + 1);
        return await replies.Of(http, asked, rows => PageQuery.ToPage(
            rows, count, row => new ApprovalRequestView(WireMapping.ToView(row.Task, _ => null, isInList: true), row.GoalTitle, row.Agent), row => row.Task.Id.Value));
    }

    private Task<IResult> Vote(Guid id, ApprovalVote vote, HttpContext http) =>
        tasks.ReplyAsync(http, node.VoteAsync(http.Principal().Caller, new TaskId(id), vote.Vote == VoteKind.Approve, vote.Digest, Words.Clean(vote.Reason)));
}
