using System.Diagnostics;
using Astra.Chaos.Audit;
using Astra.Chaos.Load;
using Astra.Sdk;

namespace Astra.Chaos;

/// <summary>The person who finds out what became of effects that nobody knows about: asks the receiver, and says so. Waits
/// first, until whoever might still be on the way there has arrived or is gone.</summary>
internal sealed class Operator(Caller caller, EffectReceiver receiver)
{
    private static readonly TimeSpan UnderWayMax = TimeSpan.FromSeconds(3);

    private readonly Dictionary<Guid, long> _since = [];

    public int ResolvedCount { get; private set; }

    /// <summary>Only while no process is paused: one that wakes would go on with what it had begun.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        var unknown = await caller.AskAsync((server, token) => server.ListUnknownEffectsAsync(limit: 200, cancellationToken: token), cancellationToken);
        foreach (var effect in unknown.Items)
        {
            if (_since.TryAdd(effect.Task.Id, Stopwatch.GetTimestamp()) || Stopwatch.GetElapsedTime(_since[effect.Task.Id]) < UnderWayMax)
                continue;
            var resolution = receiver.CountOf(GoalCheck.KeyOf(effect.Task.Id)) > 0
                ? new EffectResolution(EffectState.Sent, AstraJson.ToElement(new { value = Worker.ChaosAgent.ValueOf([]) }))
                : new EffectResolution(EffectState.NotSent);
            try
            {
                await caller.AskAsync((server, token) => server.ResolveEffectAsync(effect.Task.Id, resolution, token), cancellationToken);
                ResolvedCount++;
            }
            catch (AstraException)
            {
                // Said before, in an answer that was lost.
            }
            _since.Remove(effect.Task.Id);
        }
    }
}
