using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// Goals that agents submit for agents: in the name of an attempt that is held right now, as a child of its goal, on the
/// same shard and in the same commit as the note that the task has done so.
/// </summary>
internal sealed class DelegationDesk(ShardGoals goals, GoalDecisions decisions, SubmissionDesk submissions, NodeParts parts)
{
    public Answer<TaskState> Take(Goal goal, TaskNode task, WorkerReport.Delegated delegated)
    {
        var limits = parts.Limits;
        if (task.State != TaskState.Running)
            return new Refusal(RefusalKind.Late, $"The attempt is over: {task.Spec.Name} is {task.State.ToString().ToLowerInvariant()}.");
        var name = delegated.Name;
        if (name.Length == 0 || name.Length > limits.NameLengthMax || !PlainText.IsText(name))
            return Invalid($"What a step calls a goal that it submits has 1 to {limits.NameLengthMax} characters, without control characters.");
        // Who asked for the goal stands behind the child too, and neither an attempt nor a worker can say otherwise.
        var goods = delegated.Goods with
        {
            IdempotencyKey = null,
            Extras = delegated.Goods.Extras with { Parent = goal.Id, Depth = goal.Extras.Depth + 1, After = null, OnFailedGoal = null, RetriesUsed = 0 },
        };
        var digest = RequestDigest.Of(goods);
        var before = task.Spec.Extras.Delegations ?? [];
        if (before.Where(other => other.Name == name).Select(other => (ulong?)other.Digest).FirstOrDefault() is { } known && !Mutants.DelegationRepeated)
            return known == digest ? task.State : Invalid($"Step {task.Spec.Name} has submitted another goal as {name} before; another goal needs another name.");

        if (GoalRequestRules.Check(goods, limits) is { } refusal)
            return refusal;
        if (goods.Extras.Depth > limits.GoalDepthMax)
            return new Refusal(RefusalKind.Conflict, $"Goal {goal.Id} has {goal.Extras.Depth} ancestors, and a goal has at most {limits.GoalDepthMax}: agents that hand goals on for ever never end.");
        if (before.Count >= limits.DelegationsPerTaskMax)
            return Invalid($"Step {task.Spec.Name} has submitted {before.Count} goals, which is as many as one step may.");
        if (parts.Load.Refuses(goal.Tenant, limits) is { } overloaded)
            return overloaded;
        var agent = goal.Agent ?? task.Spec.Executor;
        if (parts.AgentGoals.TryTake(goal.Tenant, agent) is { } wait)
            return new Refusal(RefusalKind.Overloaded, $"{agent} submits more than {limits.AgentGoalsPerSecond} goals a second (after the first {limits.AgentGoalsBurst}). Try again in a moment.", wait);

        var id = Delegation.GoalOf(task.Id, name);
        if (goals.Find(goal.Tenant, id) is not null)
            return Invalid($"The name {name} cannot be used for this goal; choose another.");
        var begun = submissions.Begin(id, goal.Tenant, goods, digest, goal.SubmittedBy);
        if (begun.Refusal is { } bad)
            return bad;
        decisions.Delegate(goal, task, name, digest);
        return task.State;
    }

    private static Refusal Invalid(string reason) => new(RefusalKind.Invalid, reason);
}
