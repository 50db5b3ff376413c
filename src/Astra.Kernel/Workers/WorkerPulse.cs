namespace Astra.Kernel.Workers;

/// <summary>When a worker was last heard, and whether it is believed to be silent. The link writes the one, the scheduler
/// the other, each from its own thread.</summary>
internal sealed class WorkerPulse
{
    private long _heardTicks = long.MinValue;
    private long _silentSinceTicks = long.MaxValue;

    /// <summary>On the node's monotonic clock; null while it is not believed to be silent.</summary>
    public TimeSpan? SilentSince => Interlocked.Read(ref _silentSinceTicks) is var ticks && ticks == long.MaxValue ? null : TimeSpan.FromTicks(ticks);

    // Each writes its own and then reads the other's, with a full fence in between: a worker that is heard at the very
    // moment it is declared silent is seen by one of the two at least.

    /// <returns>Whether the scheduler has to be told.</returns>
    public bool Beat(TimeSpan now)
    {
        Interlocked.Exchange(ref _heardTicks, now.Ticks);
        return SilentSince is not null;
    }

    /// <returns>False when it was heard since.</returns>
    public bool FallSilent(TimeSpan at)
    {
        if (SilentSince is not null)
            return true;
        Interlocked.Exchange(ref _silentSinceTicks, at.Ticks);
        if (Interlocked.Read(ref _heardTicks) < at.Ticks)
            return true;
        Wake();
        return false;
    }

    public void Wake() => Interlocked.Exchange(ref _silentSinceTicks, long.MaxValue);
}
