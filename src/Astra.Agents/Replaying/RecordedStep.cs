using System.Text.Json;
using Astra.Kernel.Tasks;
using Astra.Sdk;
using KernelTaskState = Astra.Kernel.Tasks.TaskState;
using WireFailureKind = Astra.Sdk.FailureKind;

namespace Astra.Agents.Replaying;

/// <summary>A step of a fork that ended in the goal it is a fork of: it ends the same way again, and nothing is run for it.</summary>
public static class RecordedStep
{
    /// <summary>No agent can have this name.</summary>
    public const string Executor = "agent:$recorded";

    private const string Output = "output";
    private const string Outcome = "outcome";
    private const string Failure = "failure";

    /// <summary>What such a step is given: what there is to say of the one that ended.</summary>
    public static ReadOnlyMemory<byte> InputOf(TaskRow ended)
    {
        var members = new Dictionary<string, JsonElement>();
        if (ended.State != KernelTaskState.Completed)
            members[Failure] = AstraJson.ToElement(ended.Failure?.Reason ?? ended.Reason ?? "It did not complete.");
        else
        {
            members[Output] = AstraJson.Parse(ended.Output.Span);
            if (ended.Spec.Extras.Outcome is { } outcome)
                members[Outcome] = AstraJson.ToElement(outcome);
        }
        return AstraJson.Write(members);
    }

    internal static TaskReport Run(JsonElement input)
    {
        if (input.ValueKind != JsonValueKind.Object)
            return new TaskReport.Failed(WireFailureKind.Permanent, "This step has no recorded result.", "recorded:none");
        return input.TryGetProperty(Failure, out var failure)
            ? new TaskReport.Failed(WireFailureKind.Permanent, failure.GetString() ?? "", "recorded:failure")
            : new TaskReport.Completed(
                input.TryGetProperty(Output, out var output) ? output : AstraJson.ToElement(null), [],
                input.TryGetProperty(Outcome, out var outcome) ? outcome.GetString() : null);
    }
}
