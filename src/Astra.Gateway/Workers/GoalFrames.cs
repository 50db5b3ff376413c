using Astra.Agents;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>Goals for other agents, as a remote worker submits them: in the name of an attempt that its connection holds.
/// The kernel looks again at the moment at which the goal begins.</summary>
internal static class GoalFrames
{
    public static ServerFrame NotHeld(WorkerFrame.SubmitGoal submit) =>
        new ServerFrame.GoalAnswer(submit.CallId, null, GoalRefusal.Late, "This connection does not hold that attempt, so it has no authority to submit goals.");

    public static async ValueTask<ServerFrame> SubmitAsync(KernelNode node, WorkerLink link, Assignment assignment, WorkerFrame.SubmitGoal submit)
    {
        if (submit.Name is null || submit.Goal is null)
            return new ServerFrame.GoalAnswer(submit.CallId, null, GoalRefusal.Invalid, "A goal for another agent has a name and says what it is.");
        var answer = await AgentGoals.SubmitAsync(node, link, assignment, submit.Name, submit.Goal);
        return answer.Refusal is { } refusal
            ? new ServerFrame.GoalAnswer(submit.CallId, null, AgentGoals.ToWire(refusal.Kind), refusal.Reason, refusal.RetryAfter?.TotalSeconds)
            : new ServerFrame.GoalAnswer(submit.CallId, answer.Value.Value);
    }
}
