using Astra.Kernel.Actors;

namespace Astra.Kernel.Controls;

/// <summary>Read them again now; answered with <see cref="ControlsRead"/> when the scheduler has them.</summary>
internal sealed record ReadControls
{
    public static readonly ReadControls Instance = new();
}

/// <param name="Failed">Why they could not be read.</param>
internal sealed record ControlsRead(Exception? Failed);

/// <summary>
/// Brings what people have set to this node's scheduler: at once where it was set and where the bus carries the word, and
/// with the next look at the version, as often as leases are renewed, where it does not.
/// </summary>
internal sealed class ControlsKeeper(IControls controls, ActorRef scheduler, KernelLimits limits, KernelNotices notices) : Actor
{
    private static readonly object Tick = new();

    private long? _version;

    protected internal override ValueTask StartedAsync(ActorTurn turn)
    {
        // A successor reads them at once: the scheduler, which may be another one too, waits for them.
        turn.Schedule(turn.Incarnation > 1 ? TimeSpan.Zero : limits.LeaseRenewalInterval, Tick);
        return default;
    }

    protected internal override async ValueTask ReceiveAsync(object message, ActorTurn turn)
    {
        try
        {
            switch (message)
            {
                case ReadControls:
                    await LoadAsync();
                    turn.Sender?.TrySend(new ControlsRead(null));
                    break;
                case var tick when ReferenceEquals(tick, Tick):
                    turn.Schedule(limits.LeaseRenewalInterval, Tick);
                    if (_version is null || await controls.ReadVersionAsync(CancellationToken.None) != _version)
                        await LoadAsync();
                    break;
            }
        }
        catch (Exception e)
        {
            // What was set before holds on. The next tick looks again.
            if (turn.Sender is { } sender && message is ReadControls)
                sender.TrySend(new ControlsRead(e));
            else
                notices.Publish(new KernelNotice.ControlsNotRead(e.Message));
        }
    }

    private async ValueTask LoadAsync()
    {
        var all = await controls.LoadAsync(CancellationToken.None);
        // An answer that was slow must not undo a later one.
        if (all.Version < _version)
            return;
        _version = all.Version;
        scheduler.TrySend(all);
    }
}
