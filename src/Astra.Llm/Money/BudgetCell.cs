namespace Astra.Llm.Money;

/// <summary>
/// What this node holds of one period. Reservations take from what is at hand and give back what they did not spend, without a
/// lock; the ledger alone draws and reports. Drawn is always what is at hand, what is reserved and what is settled and not yet
/// reported, together.
/// </summary>
internal sealed class BudgetCell(PeriodKey period)
{
    private long _atHand;
    private long _settled;
    private long _largestCall;
    private bool _isUsed;

    public PeriodKey Period => period;

    public long AtHand => Volatile.Read(ref _atHand);
    public long Settled => Volatile.Read(ref _settled);
    public long LargestCall => Volatile.Read(ref _largestCall);

    // Only the ledger's own loop touches these.
    public long Drawn { get; set; }
    public long SettledReported { get; set; }

    /// <summary>A report of it was sent and not answered. Said again until it is, also when there is nothing new to say: what went
    /// back with it may still be held.</summary>
    public bool IsUnanswered { get; set; }

    /// <summary>As the store had it when it was last asked; null before.</summary>
    public AccountSeen? Seen => Volatile.Read(ref _seen);
    private AccountSeen? _seen;

    public bool IsTight => Seen is { } seen && DrawRules.IsTight(seen.Account, LargestCall);

    /// <summary>Nothing of it is here and nothing is unsaid.</summary>
    public bool IsClear => !IsUnanswered && Drawn == 0 && AtHand == 0 && Settled == SettledReported;

    public bool TryTake(long amount)
    {
        var atHand = Volatile.Read(ref _atHand);
        while (atHand >= amount)
        {
            var before = Interlocked.CompareExchange(ref _atHand, atHand - amount, atHand);
            if (before == atHand)
            {
                Note(amount);
                return true;
            }
            atHand = before;
        }
        return false;
    }

    /// <summary>A call that was paid for by a draw is noticed too.</summary>
    public void Note(long amount)
    {
        _isUsed = true;
        if (amount > Volatile.Read(ref _largestCall))
            Volatile.Write(ref _largestCall, amount);
    }

    public void Give(long amount) => Interlocked.Add(ref _atHand, amount);

    public long TakeAll() => Interlocked.Exchange(ref _atHand, 0);

    /// <summary>More than was reserved makes what is at hand negative: the next draw brings it in first.</summary>
    public void Settle(long reserved, long actual)
    {
        // Settled first: whoever reports in between says too much, and puts that right the next time.
        Interlocked.Add(ref _settled, actual);
        Interlocked.Add(ref _atHand, reserved - actual);
    }

    /// <summary>Whether nobody has used it since the last time this was asked.</summary>
    public bool LiesIdle()
    {
        var idle = !_isUsed;
        _isUsed = false;
        return idle;
    }

    public void See(PeriodAccount account) => Volatile.Write(ref _seen, new AccountSeen(account));

    /// <summary>Another ledger id begins: what was reported under the old one is history.</summary>
    public void Rebase()
    {
        Interlocked.Add(ref _settled, -SettledReported);
        SettledReported = 0;
    }

    public sealed record AccountSeen(PeriodAccount Account);
}
