namespace Astra.Kernel.Actors;

/// <summary>A few objects to use again. More than a few are cheaper to make than to share between threads.</summary>
internal sealed class Spares<T>
    where T : class
{
    private const int KeptMax = 32;

    private readonly T?[] _kept = new T?[KeptMax];

    public T? Take()
    {
        foreach (ref var place in _kept.AsSpan())
        {
            if (place is not null && Interlocked.Exchange(ref place, null) is { } spare)
                return spare;
        }

        return null;
    }

    public void Put(T spare)
    {
        foreach (ref var place in _kept.AsSpan())
        {
            if (place is null && Interlocked.CompareExchange(ref place, spare, null) is null)
                return;
        }
    }
}
