using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Approvals;

/// <summary>Takes people's votes on a shard's tasks. Who is a person, and which of them may vote here at all, is said in
/// front of the kernel; that nobody votes on what they asked for is said here, where that is known.</summary>
internal sealed class ApprovalDesk(GoalDecisions decisions)
{
    public Answer<TaskRow> Take(Goal goal, TaskNode task, ShardRequest.Vote vote)
    {
        if (task.Spec.Extras.Approval is not { } approval)
            return Conflict($"Task {task.Spec.Name} asks for nobody's approval.");
        var by = vote.Caller.Principal;
        if ((by == goal.SubmittedBy || by == approval.AskedBy) && !Mutants.RequesterVotes)
            return new Refusal(RefusalKind.Forbidden, $"{by} has asked for this and so has no vote on it; somebody else has to look.");
        var digest = Approval.DigestOf(task.Id, task.Spec);
        if (vote.IsFor && approval.VotesFor(digest).Any(given => given.By == by) && vote.Digest == digest)
            return goal.ToRow(task);
        if (task.State == TaskState.Cancelled && !vote.IsFor && task.Reason == Approval.DenialOf(by, vote.Reason))
            return goal.ToRow(task);
        if (task.State != TaskState.Pending || approval.IsGranted(digest))
            return Conflict($"Task {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}{(approval.IsGranted(digest) ? " and has its approval" : "")}; nobody is asked any more.");
        if (vote.Digest != digest)
            return Conflict($"Task {task.Spec.Name} has been changed since you looked at it, and a vote is for exactly what was looked at. Look again: its digest is {digest[..12]}… now.");
        if (vote.IsFor)
            decisions.Approve(goal, task, digest, by, vote.Reason);
        else
            decisions.Deny(goal, task, digest, by, vote.Reason);
        return goal.ToRow(task);
    }

    private static Refusal Conflict(string reason) => new(RefusalKind.Conflict, reason);
}
