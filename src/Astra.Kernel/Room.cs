namespace Astra.Kernel;

/// <summary>
/// Gives back the room that a collection has kept from a fuller moment. The runtime's grow by themselves and never shrink,
/// and a node has thousands of shards: each would keep the room of its fullest moment for good.
/// </summary>
/// <remarks>Down to half the room when less than a quarter is used, so that what is added and removed in turns stays constant
/// time on average (Cormen et al., Introduction to Algorithms, "Dynamic tables").</remarks>
internal static class Room
{
    /// <summary>What a collection of which a node has one may always keep, in elements: what comes and goes in a moment is not
    /// worth the copying.</summary>
    public const int KeptByNode = 16_384;

    /// <summary>The same for a line of tasks, of which a node has as many as agents.</summary>
    public const int KeptByLine = 1_024;

    // The same for what each shard has.
    private const int KeptByShard = 64;

    public static void GiveBackRoom<TKey, TValue>(this Dictionary<TKey, TValue> kept, int keptMax = KeptByShard)
        where TKey : notnull
    {
        if (IsMostlyEmpty(kept.Count, kept.Capacity, keptMax))
            kept.TrimExcess(2 * kept.Count);
    }

    public static void GiveBackRoom<T>(this List<T> kept)
    {
        if (IsMostlyEmpty(kept.Count, kept.Capacity, KeptByShard))
            kept.Capacity = 2 * kept.Count;
    }

    public static void GiveBackRoom<T>(this Queue<T> kept)
    {
        if (IsMostlyEmpty(kept.Count, kept.Capacity, KeptByShard))
            kept.TrimExcess(2 * kept.Count);
    }

    // A priority queue gives back everything it does not use, or nothing. The room it then makes anew is paid for by as many
    // as had to leave before.
    public static void GiveBackRoom<TElement, TPriority>(this PriorityQueue<TElement, TPriority> kept, int keptMax = KeptByShard)
    {
        if (IsMostlyEmpty(kept.Count, kept.Capacity, keptMax))
            kept.TrimExcess();
    }

    private static bool IsMostlyEmpty(int count, int capacity, int keptMax) => capacity > keptMax && count < capacity / 4;
}
