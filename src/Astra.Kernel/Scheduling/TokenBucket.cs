namespace Astra.Kernel.Scheduling;

/// <summary>
/// So many starts per period, on the monotonic clock: what is not used is kept for one period and no longer. Over any
/// stretch of time t at most <c>burst + t × rate</c> start.
/// </summary>
internal sealed class TokenBucket(double countMax, TimeSpan period, TimeSpan now)
{
    // Below one token nothing would ever start: a share of a small limit still starts one, only less often.
    private readonly double _capacity = Math.Max(1, countMax);
    private readonly double _perTick = countMax / period.Ticks;
    private double _tokens = Math.Max(1, countMax);
    private TimeSpan _at = now;

    public double CountMax => countMax;

    public bool HasToken(TimeSpan now)
    {
        Fill(now);
        // A hair less is one token that rounding has eaten.
        return _tokens >= 1 - 1e-6;
    }

    public bool IsFull(TimeSpan now)
    {
        Fill(now);
        return _tokens >= _capacity;
    }

    public void Take() => _tokens--;

    /// <summary>Empty, and so for as long as <paramref name="debt"/> from now.</summary>
    public static TokenBucket InDebt(double countMax, TimeSpan period, TimeSpan now, TimeSpan debt) =>
        new(countMax, period, now) { _tokens = -countMax * (debt / period) };

    /// <summary>The bucket of another share of the same rate, holding what this one holds: the part that was used stays used.
    /// What this one has above the new share's capacity is nobody's any more; what it owes, the new one owes.</summary>
    public TokenBucket Resize(double countMax, TimeSpan now)
    {
        Fill(now);
        return new TokenBucket(countMax, period, now) { _tokens = Math.Min(Math.Max(1, countMax), _tokens) };
    }

    /// <summary>What was taken came to nothing.</summary>
    public void GiveBack() => _tokens = Math.Min(_capacity, _tokens + 1);

    /// <summary>When there is one again, if nobody takes it first.</summary>
    public TimeSpan NextAt(TimeSpan now)
    {
        Fill(now);
        return _tokens >= 1 ? now : now + TimeSpan.FromTicks((long)Math.Ceiling((1 - _tokens) / _perTick));
    }

    private void Fill(TimeSpan now)
    {
        _tokens = Math.Min(_capacity, _tokens + (now - _at).Ticks * _perTick);
        _at = now;
    }
}
