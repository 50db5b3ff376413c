namespace Astra.Kernel.Tasks;

/// <summary>How long a task waits between attempts: <paramref name="DelayMin"/> after the first failure, each time
/// <paramref name="Factor"/> as long as before, and never longer than <paramref name="DelayMax"/>.</summary>
public sealed record RetryPolicy(TimeSpan DelayMin, TimeSpan DelayMax, double Factor)
{
    public const double FactorMax = 10;
    public static readonly TimeSpan DelayLimit = TimeSpan.FromDays(1);

    // Beyond this the delay has long reached its cap, and a power would only overflow.
    private const int GrowthsMax = 60;

    /// <param name="failureCount">Failed attempts so far, this one included.</param>
    /// <param name="dice">At least 0 and less than 1. Jitter over the upper half: failures that came together do not come
    /// back together.</param>
    public TimeSpan DelayAfter(int failureCount, double dice)
    {
        var grown = DelayMin.TotalSeconds * Math.Pow(Factor, Math.Min(failureCount - 1, GrowthsMax));
        var capped = grown < DelayMax.TotalSeconds ? TimeSpan.FromSeconds(grown) : DelayMax;
        return Mutants.RetryAtOnce ? TimeSpan.Zero : capped * (0.5 + 0.5 * dice);
    }

    /// <summary>Why this makes no sense, or null.</summary>
    public string? Problem =>
        DelayMin < TimeSpan.Zero || DelayMax > DelayLimit ? "The delays between attempts are between zero and one day."
        : DelayMin > DelayMax ? "The shortest delay between attempts is longer than the longest."
        : !(Factor >= 1 && Factor <= FactorMax) ? $"The delay between attempts grows by a factor of 1 to {FactorMax}."
        : null;
}
