namespace Astra.Llm.Money;

/// <summary>
/// What one call may cost and how much it may answer, beside what the budgets say: whoever works within a limit of its own hands
/// it along. All attempts at the call together stay within it, two at once as well.
/// </summary>
public sealed class Allowance(Nanodollars? cap, long? outputTokensMax)
{
    private readonly Lock _lock = new();
    private Nanodollars _held;
    private Nanodollars _spent;

    public Nanodollars? Cap => cap;

    public long? OutputTokensMax => outputTokensMax;

    public Nanodollars Spent
    {
        get
        {
            lock (_lock)
                return _spent;
        }
    }

    /// <summary>Null where there is no cap.</summary>
    public Nanodollars? Left
    {
        get
        {
            lock (_lock)
                return cap - (_spent + _held);
        }
    }

    /// <summary>Before an attempt: its worst case fits, or it is not made.</summary>
    internal bool TryHold(Nanodollars worstCase)
    {
        lock (_lock)
        {
            if (cap is { } most && _spent + _held + worstCase > most)
                return false;
            _held += worstCase;
            return true;
        }
    }

    internal void Settle(Nanodollars held, Nanodollars cost)
    {
        lock (_lock)
        {
            _held -= held;
            _spent += cost;
        }
    }
}
