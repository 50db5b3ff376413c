using Astra.Kernel.Actors;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

// Workers that are not heard, and leases that only another node can end.
internal sealed partial class Scheduler
{
    // The owner on another node counts a lease from when it has taken the shard over. A report waits that long for it, and
    // so does the slot.
    private static readonly TimeSpan AwayPatience = WorkerLink.ReportPatience;

    private static readonly object AwayTick = new();

    private TimeSpan? _awayTimer;

    /// <summary>Whatever more it were given would be lost too, each time with a mark against the task, until the connection
    /// is noticed to be dead. A worker that lives is heard again soon: at the latest when it is told that the attempt is over.</summary>
    private void FallSilent(WorkerId worker, TimeSpan at)
    {
        if (_workers.Handle(worker) is { } handle && handle.Pulse.FallSilent(at))
            _workers.SetSilent(worker, isSilent: true);
    }

    private void Wake(WorkerId worker)
    {
        _workers.Handle(worker)?.Pulse.Wake();
        _workers.SetSilent(worker, isSilent: false);
    }

    private void Keep(LeasesKept kept)
    {
        foreach (var attempt in kept.Attempts)
            if (_workers.Find(kept.Worker, attempt) is { AwaySince: not null } taken)
                taken.AwaySince = clock.Elapsed;
    }

    private static TimeSpan SilentAt(TakenTask taken) => taken.AwaySince!.Value + taken.Ready.LeaseDuration + AwayPatience;

    private void EndSilence(ActorTurn turn)
    {
        foreach (var taken in _workers.TakenAway)
            if (SilentAt(taken) <= clock.Elapsed)
            {
                FallSilent(taken.Claim.Worker.Id, clock.Elapsed);
                TakeAway(taken, "Its shard is on another node, and the lease was not renewed there.");
            }
        WatchSilence(turn);
    }

    /// <summary>One timer, as for a shard's leases: when it fires it looks, and sets itself again.</summary>
    private void WatchSilence(ActorTurn turn)
    {
        if (_workers.TakenAway is not { Count: > 0 } away)
            return;
        var first = away.Min(SilentAt);
        if (_awayTimer is { } set && set <= first)
            return;
        _awayTimer = first;
        var delay = first - clock.Elapsed;
        turn.Schedule(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, AwayTick);
    }
}
