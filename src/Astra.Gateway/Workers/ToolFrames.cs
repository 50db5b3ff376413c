using Astra.Kernel;
using Astra.Sdk;
using Astra.Tools.Catalog;

namespace Astra.Gateway;

/// <summary>Tools that a remote worker calls: under the authority of an attempt that its connection holds, and only while it holds it.</summary>
internal static class ToolFrames
{
    public static ServerFrame.ToolAnswer NotHeld(WorkerFrame.CallTool call) => Refused(call, "This connection does not hold that attempt, so it has no authority to call tools.");

    public static async Task<ServerFrame.ToolAnswer> CallAsync(GatewayParts parts, HeldTask held, WorkerFrame.CallTool call)
    {
        var task = held.Assignment;
        var gate = parts.Tools.For(new ToolSubject(task.Tenant, task.Agent, task.Goal, task.GoalInput));
        var ending = held.Ending;
        try
        {
            var result = await gate.CallAsync(
                new ToolCall(call.Tool, call.Input)
                {
                    Reads = call.Reads ?? [],
                    IdempotencyKey = call.IdempotencyKey,
                    Deadline = call.DeadlineSeconds is > 0 and < 1e6 and var seconds ? TimeSpan.FromSeconds(seconds) : null,
                }, ending);
            return new ServerFrame.ToolAnswer(call.CallId, result.Output, result.Receipt, null, null);
        }
        catch (ToolRefusedException e)
        {
            return Refused(call, e.Message);
        }
        catch (ToolFailedException e)
        {
            return new ServerFrame.ToolAnswer(call.CallId, null, e.Receipt, null, e.Message);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return Refused(call, "The attempt was taken away while the tool ran.");
        }
        catch (Exception e)
        {
            parts.OnError(
                "a tool that a worker calls", e,
                new LogIds { Tenant = task.Tenant.Value, Goal = task.Goal.Value, Task = task.Task.Value, Attempt = task.Attempt, Shard = task.Goal.Shard.Value });
            return new ServerFrame.ToolAnswer(call.CallId, null, null, null, $"The tool could not be run: {FailureCause.Sentence(e)}");
        }
    }

    private static ServerFrame.ToolAnswer Refused(WorkerFrame.CallTool call, string why) => new(call.CallId, null, null, why, null);
}
