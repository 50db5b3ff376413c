namespace Astra.Kernel.Scheduling;

/// <summary>One who shares with others, and how much virtual time it has used: slot time divided by weight.</summary>
internal abstract class FairShare
{
    public static readonly IComparer<FairShare> ByVirtualTime = Comparer<FairShare>.Create(
        (a, b) => (a.VirtualTime, a.Joined).CompareTo((b.VirtualTime, b.Joined)));

    /// <summary>With what its running tasks were charged in advance.</summary>
    public TimeSpan VirtualTime { get; set; }

    /// <summary>Slot time that its running tasks were charged in advance and may not use.</summary>
    public TimeSpan InAdvance { get; set; }

    /// <summary>Decides between equals: who came first is first, so that nobody who comes later is ever ahead of who waits.</summary>
    public long Joined { get; set; }

    public int WaitingCount { get; set; }

    /// <summary>1 is what everyone has.</summary>
    public double Weight { get; set; } = 1;

    /// <summary>By what has ended: where it will stand if what runs uses nothing.</summary>
    public TimeSpan Settled => VirtualTime - InAdvance / Weight;
}

/// <summary>Those who wait, by the virtual time they have used, and how far the whole has come.</summary>
internal sealed class FairOrder<T> where T : FairShare
{
    private readonly SortedSet<T> _waiting = new(FairShare.ByVirtualTime);
    private long _joinedCount;

    public IEnumerable<T> Waiting => _waiting;

    public T? First => _waiting.Min;

    public int WaitingCount => _waiting.Count;

    public TimeSpan Reached { get; private set; }

    /// <summary>A newcomer starts where the last one served stood: absence earns no credit. Not with its charges in advance,
    /// or one long task of the past, by which all are charged, would keep the newcomer waiting until they have been used up.</summary>
    public void Join(T share)
    {
        if (share.VirtualTime < Reached)
            share.VirtualTime = Reached;
        share.Joined = _joinedCount++;
        _waiting.Add(share);
    }

    public void Leave(T share) => _waiting.Remove(share);

    /// <summary>
    /// Whoever stood ahead of it could not run, for want of a slot that suits or below a limit of its own; it keeps its
    /// place, but not more of a lead than one long task: else it would one day take everything for as long as it had
    /// been kept from it.
    /// </summary>
    public void Serve(T share, TimeSpan longest, TimeSpan charge)
    {
        if (share.Settled > Reached)
            Reached = share.Settled;
        var leadMax = Reached - longest / share.Weight;
        share.InAdvance += charge;
        Move(share, (share.VirtualTime < leadMax ? leadMax : share.VirtualTime) + (Mutants.SharesUncharged ? TimeSpan.Zero : charge / share.Weight));
    }

    /// <summary>What was charged in advance is over, and this was used.</summary>
    public void Settle(T share, TimeSpan charged, TimeSpan used)
    {
        share.InAdvance = share.InAdvance > charged ? share.InAdvance - charged : TimeSpan.Zero;
        Move(share, share.VirtualTime + (used - charged) / share.Weight);
    }

    private void Move(T share, TimeSpan to)
    {
        // Whoever waits alone stays first.
        var isWaiting = _waiting.Count > 1 && _waiting.Remove(share);
        share.VirtualTime = to;
        if (isWaiting)
            _waiting.Add(share);
    }
}
