using System.Text.Json;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>A step that is one call of a tool, without an agent around it.</summary>
internal static class ToolStep
{
    // EX_TEMPFAIL of sysexits.h: a failure that is worth another attempt.
    public const int NothingSentExitCode = 75;

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
            return Transient(tool, e);
        }
    }

    /// <summary>The same for a tool that acts on the outside world: its completion is the outcome. A tool that says that it
    /// sent nothing, by its exit code, is tried again; any other failure leaves the step to a person.</summary>
    public static async ValueTask<TaskReport> RunOutsideAsync(
        IToolGate tools, string tool, JsonElement input, IEffectLedger ledger, AssignedEffect effect, CancellationToken revoked)
    {
        if (effect.State == EffectState.Sent)
            return new TaskReport.Completed(effect.Output ?? AstraJson.ToElement(null), []);
        try
        {
            await ledger.IntendAsync($"runs the tool {tool}", revoked);
            var result = await tools.CallAsync(new ToolCall(tool, input) { IdempotencyKey = effect.Key }, revoked);
            return new TaskReport.Completed(result.Output, []);
        }
        catch (OperationCanceledException) when (revoked.IsCancellationRequested)
        {
            return new TaskReport.Dropped();
        }
        catch (EffectRefusedException e) when (!e.IsPassing)
        {
            return new TaskReport.Failed(FailureKind.Permanent, FailureCause.Sentence(e), FailureCause.Fingerprint(e));
        }
        catch (ToolRefusedException e)
        {
            await ledger.SettleAsync(EffectState.NotSent, AstraJson.ToElement(null), revoked);
            return new TaskReport.Failed(FailureKind.Permanent, FailureCause.Sentence(e), FailureCause.Fingerprint(e));
        }
        catch (ToolFailedException e) when (e.Receipt.ExitCode == NothingSentExitCode)
        {
            await ledger.SettleAsync(EffectState.NotSent, AstraJson.ToElement(null), revoked);
            return Transient(tool, e);
        }
        catch (Exception e)
        {
            return Transient(tool, e);
        }
    }

    private static TaskReport.Failed Transient(string tool, Exception e) =>
        new(FailureKind.Transient, FailureCause.Sentence(e), FailureCause.Fingerprint($"tool:{tool}", FailureCause.Sentence(e)));
}
