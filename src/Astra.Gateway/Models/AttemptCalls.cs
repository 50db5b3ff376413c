using Astra.Kernel;
using Astra.Kernel.Tasks;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>For whom a call is made that comes in the name of an attempt.</summary>
internal sealed record CallingAttempt(GoalId Goal, string? Agent, string Kind);

/// <summary>
/// Calls in the name of an attempt at a task, as workers make them. Whether it runs is asked of whoever owns its goal, at every
/// call, and the goal and the agent are taken from there: a worker that has lost its lease, or somebody who knows no more than
/// ids, spends nothing of theirs.
/// </summary>
internal sealed class AttemptCalls(KernelNode node, Replies replies)
{
    public async ValueTask<Answer<CallingAttempt>> FindAsync(TenantId tenant, TaskId task, int attempt)
    {
        var asked = await replies.Ask(node.GetTaskAsync(tenant, task));
        if (asked.Refusal is { } refusal)
            return refusal;
        if (asked.Value.State != TaskState.Running || asked.Value.Attempt != attempt)
            return new Refusal(RefusalKind.Late, $"Attempt {attempt} at task {task.Value} is over, and nothing is asked for it any more.");
        var goal = await replies.Ask(node.GetGoalAsync(tenant, asked.Value.Goal));
        return goal.Refusal is { } lost ? lost : new CallingAttempt(goal.Value.Id, goal.Value.Agent ?? AgentOf(asked.Value.Spec.Executor), asked.Value.Spec.Kind);
    }

    /// <summary>In the form that the endpoint's clients read; what moves is asked for again, and what is elsewhere there.</summary>
    public async Task RefuseAsync(HttpContext http, ModelDialect dialect, Refusal refusal)
    {
        if (refusal.Kind == RefusalKind.Elsewhere)
        {
            // Nothing of the body was read yet; from here on it may have to be sent twice.
            http.Request.EnableBuffering(OwnerForwarding.BodyInMemoryMax);
            await replies.Of(refusal).ExecuteAsync(http);
        }
        else if (!MovingRequests.TakesBack(http, refusal))
        {
            if (refusal.IsMoving)
                http.Response.Headers[MovingRequests.UntouchedHeader] = "1";
            await dialect.RefuseAsync(http, refusal.Kind == RefusalKind.Late
                ? new(StatusCodes.Status409Conflict, "invalid_request_error", "attempt_over", refusal.Reason, ShouldRetry: false)
                : new(Replies.StatusOf(refusal.Kind), refusal.Kind == RefusalKind.NotFound ? "invalid_request_error" : "server_error", null, refusal.Reason, RetryAfter: refusal.RetryAfter));
        }
    }

    private static string? AgentOf(string executor) => executor.StartsWith("agent:", StringComparison.Ordinal) ? executor["agent:".Length..] : null;
}
