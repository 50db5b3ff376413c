using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>Goals for other agents, as an attempt in this process submits them.</summary>
internal sealed class LinkGoals(KernelNode node, Task<WorkerLink> link, Assignment assignment) : IChildGoals
{
    public async ValueTask<Guid> SubmitAsync(string name, AgentGoal goal, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var answer = await AgentGoals.SubmitAsync(node, await link, assignment, name, goal);
        return answer.Refusal is { } refusal
            ? throw new GoalRefusedException(AgentGoals.ToWire(refusal.Kind), refusal.Reason, refusal.RetryAfter)
            : answer.Value.Value;
    }
}
