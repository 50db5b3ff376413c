using System.Text.Json;

namespace Astra.Sdk;

/// <summary>Where an attempt says that it is about to act on the outside world, and how that went.</summary>
public interface IEffectLedger
{
    /// <summary>Durable when it returns; only then may anything leave.</summary>
    ValueTask IntendAsync(string what, CancellationToken cancellationToken);

    ValueTask SettleAsync(EffectState outcome, JsonElement output, CancellationToken cancellationToken);
}

/// <summary>Thrown inside an effect by whoever knows that nothing has left: the step may be tried again.</summary>
public sealed class EffectNotSentException(string reason, Exception? inner = null) : Exception(reason, inner);

/// <summary>The ledger would not have it: the attempt is over, the effect was made before, or nobody could write it down.</summary>
/// <param name="isPassing">The last of these: the step may be tried again.</param>
public sealed class EffectRefusedException(string reason, bool isPassing = false) : Exception(reason)
{
    public bool IsPassing => isPassing;
}

/// <summary>The ledger as one attempt at one step sees it.</summary>
public sealed class StepEffect(IEffectLedger ledger, AssignedEffect assigned)
{
    /// <summary>Makes the effect, unless an attempt before this one did. Whatever goes wrong between the intent and the
    /// outcome, <see cref="EffectNotSentException"/> apart, leaves the step waiting for a person: nobody knows.</summary>
    /// <returns>What the act gave, now or then.</returns>
    public async ValueTask<JsonElement> MakeAsync(string what, Func<string, CancellationToken, ValueTask<object?>> act, CancellationToken cancellationToken)
    {
        if (assigned.State == EffectState.Sent)
            return assigned.Output ?? AstraJson.ToElement(null);
        await ledger.IntendAsync(what, cancellationToken);
        JsonElement output;
        try
        {
            output = AstraJson.ToElement(await act(assigned.Key, cancellationToken));
        }
        catch (EffectNotSentException)
        {
            await ledger.SettleAsync(EffectState.NotSent, AstraJson.ToElement(null), cancellationToken);
            throw;
        }
        await ledger.SettleAsync(EffectState.Sent, output, cancellationToken);
        return output;
    }
}
