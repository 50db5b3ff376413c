using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>Goals that agents submit for agents, on their way to the kernel: of agents in this process and of workers.</summary>
public static class AgentGoals
{
    public static async ValueTask<Answer<GoalId>> SubmitAsync(KernelNode node, WorkerLink link, Assignment assignment, string name, AgentGoal goal)
    {
        if (goal.Agent is null || !AgentRunner.IsName(goal.Agent))
            return new Refusal(RefusalKind.Invalid, "A goal for another agent names it, with lower-case letters, digits and dashes.");
        var label = await node.Agents.ClassOfAsync(assignment.Tenant, goal.Agent);
        if (label.Refusal is { } unknown)
            return unknown;
        var plan = PlanEditing.ToGraph([new AddStep { Name = AgentRunner.PlanStep, Executor = AgentRunner.ExecutorOf(label.Value), Kind = AgentRunner.PlanKind }]);
        if (plan.Refusal is { } refusal)
            return refusal;
        return await link.SubmitGoalAsync(new AttemptId(assignment.Task, assignment.Attempt), name, new GoalRequest
        {
            Agent = goal.Agent,
            Title = goal.Title ?? $"A goal for {goal.Agent}",
            Input = WorkMapping.ToBytes(goal.Input),
            Priority = goal.Priority,
            Extras = new GoalExtras { OnCancelledParent = GoalRelations.ToKernel(goal.OnCancelledParent) },
            Plan = plan.Value,
        });
    }

    public static GoalRefusal ToWire(RefusalKind kind) => kind switch
    {
        RefusalKind.Overloaded => GoalRefusal.TooMany,
        RefusalKind.Conflict => GoalRefusal.TooDeep,
        RefusalKind.Late or RefusalKind.NotFound => GoalRefusal.Late,
        RefusalKind.Unavailable or RefusalKind.Elsewhere => GoalRefusal.Unavailable,
        _ => GoalRefusal.Invalid,
    };
}
