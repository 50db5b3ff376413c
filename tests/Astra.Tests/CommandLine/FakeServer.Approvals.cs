using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// What waits for people, and their votes.
public sealed partial class FakeServer
{
    public Task<Page<ApprovalRequestView>> ListApprovalsAsync(string? cursor = null, int limit = 50, CancellationToken cancellationToken = default) => Called(
        $"approvals {cursor} {limit}",
        new Page<ApprovalRequestView>(
            [.. _goals.Values.SelectMany(goal => goal.Plan.Tasks
                .Where(task => task is { State: TaskState.Pending, Approval: { } approval } && approval.Given < approval.Needed)
                .Select(task => new ApprovalRequestView(task with { Input = null }, goal.View.Title, goal.View.Agent)))],
            null));

    public Task<TaskView> VoteAsync(Guid task, ApprovalVote vote, CancellationToken cancellationToken = default) => Called(
        $"vote {vote.Vote} {vote.Digest} {vote.Reason}",
        _goals.Values.Single(goal => goal.Plan.Tasks.Any(view => view.Id == task)).Change(task, asked => vote.Vote is VoteKind.Approve
            ? asked with { Approval = asked.Approval! with { Given = asked.Approval.Given + 1 } }
            : asked with { State = TaskState.Cancelled, Reason = $"Denied by key:ada: {vote.Reason}" }));
}
