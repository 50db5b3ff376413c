using System.Text.Json;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>A step that is one call of a tool, without an agent around it.</summary>
internal static class ToolStep
{
    public static async ValueTask<TaskReport> RunAsync(IToolGate tools, string tool, JsonElement input, CancellationToken revoked)
    {
        try
        {
            var result = await tools.CallAsync(new ToolCall(tool, input), revoked);
            return new TaskReport.Completed(result.Output, []);
        }
        catch (OperationCanceledException) when (revoked.IsCancellationRequested)
        {
            return new TaskReport.Dropped();
        }
        catch (ToolRefusedException e)
        {
            return new TaskReport.Failed(FailureKind.Permanent, FailureCause.Sentence(e), FailureCause.Fingerprint(e));
        }
        catch (Exception e)
        {
            return new TaskReport.Failed(FailureKind.Transient, FailureCause.Sentence(e), FailureCause.Fingerprint($"tool:{tool}", FailureCause.Sentence(e)));
        }
    }
}
