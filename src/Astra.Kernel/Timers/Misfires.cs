namespace Astra.Kernel.Timers;

/// <summary>Which of a schedule's times are to be fired now, and which are left out. Pure.</summary>
internal static class Misfires
{
    /// <summary>What is no later than this is not late: a node that took over, or a clock that was a little off.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    public const int CatchUpMax = 100;

    /// <param name="from">The first time that has not been fired.</param>
    /// <returns>What to fire, in order; how many are left out; the first time after now.</returns>
    public static (IReadOnlyList<DateTimeOffset> Fire, long MissedCount, DateTimeOffset? Next) Of(Recurrence recurrence, DateTimeOffset from, DateTimeOffset now, MisfirePolicy policy)
    {
        var late = new Queue<DateTimeOffset>();
        var fresh = new List<DateTimeOffset>();
        long missed = 0;
        DateTimeOffset? next = from;
        for (; next is { } at && at <= now; next = recurrence.Next(at))
        {
            if (now - at <= Grace)
            {
                fresh.Add(at);
                continue;
            }
            late.Enqueue(at);
            if (late.Count > CatchUpMax)
            {
                late.Dequeue();
                missed++;
            }
        }
        var kept = policy switch { MisfirePolicy.All => late.Count, MisfirePolicy.Once => Math.Min(1, late.Count), _ => 0 };
        return ([.. late.Skip(late.Count - kept), .. fresh], missed + late.Count - kept, next);
    }
}
