using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Workers;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>The effect ledger as an attempt in this process reaches it.</summary>
internal sealed class LinkEffects(Task<WorkerLink> link, AttemptId attempt) : IEffectLedger
{
    public async ValueTask IntendAsync(string what, CancellationToken cancellationToken) =>
        Check(await (await link).IntendAsync(attempt, what));

    public async ValueTask SettleAsync(EffectState outcome, JsonElement output, CancellationToken cancellationToken) =>
        Check(await (await link).SettleAsync(attempt, WorkMapping.ToKernel(outcome), WorkMapping.ToBytes(output)));

    private static void Check(Answer<Kernel.Tasks.TaskState> answer)
    {
        if (answer.Refusal is { } refusal)
            throw new EffectRefusedException(refusal.Reason, WorkMapping.IsPassing(refusal));
    }
}
