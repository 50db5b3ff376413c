namespace Astra.Llm.Attempts;

/// <summary>The time that one request has in all, whichever provider spends it.</summary>
internal readonly struct Deadline(TimeProvider clock, TimeSpan totalTimeMax)
{
    // A source of cancellation takes no negative time.
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(1);

    private readonly long _began = clock.GetTimestamp();

    public TimeSpan Elapsed => clock.GetElapsedTime(_began);

    public bool IsOver => Elapsed >= totalTimeMax;

    /// <summary>So much, and never more than what is left.</summary>
    public TimeSpan AtMost(double seconds)
    {
        var left = totalTimeMax - Elapsed;
        var asked = TimeSpan.FromSeconds(seconds);
        var least = asked < left ? asked : left;
        return least > Least ? least : Least;
    }
}
