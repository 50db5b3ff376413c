namespace Astra.Llm.Routing;

/// <summary>Of a hundred requests at most five may be sent twice. Every request earns a twentieth of one, and little is saved up.</summary>
internal sealed class HedgeBudget
{
    private const int CostOfOne = 20;
    private const int SavedMax = 10 * CostOfOne;

    private int _saved;

    public void Earn()
    {
        if (Volatile.Read(ref _saved) < SavedMax)
            Interlocked.Increment(ref _saved);
    }

    public bool TryTake()
    {
        while (true)
        {
            var saved = Volatile.Read(ref _saved);
            if (saved < CostOfOne)
                return false;
            if (Interlocked.CompareExchange(ref _saved, saved - CostOfOne, saved) == saved)
                return true;
        }
    }
}
