namespace Astra.Chaos;

/// <summary>
/// Time as long as this program was awake. A machine that sleeps, or on which something else stops every program for a while,
/// is no recovery that took long: of each gap between two looks at the clock only so much counts.
/// </summary>
internal static class Awake
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan GapMax = TimeSpan.FromMilliseconds(500);

    private static long _ticks;

    static Awake() => new Thread(() =>
    {
        for (var last = TimeProvider.System.GetTimestamp(); ; )
        {
            Thread.Sleep(Tick);
            var now = TimeProvider.System.GetTimestamp();
            var gap = TimeProvider.System.GetElapsedTime(last, now);
            last = now;
            Interlocked.Add(ref _ticks, (gap < GapMax ? gap : GapMax).Ticks);
        }
    })
    { IsBackground = true, Name = "awake" }.Start();

    public static TimeSpan Now => TimeSpan.FromTicks(Interlocked.Read(ref _ticks));

    /// <summary>Cancelled when so much time awake has passed.</summary>
    public static CancellationTokenSource Patience(TimeSpan time, CancellationToken cancellationToken)
    {
        var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _ = EndAsync(Now + time, patience);
        return patience;
    }

    private static async Task EndAsync(TimeSpan end, CancellationTokenSource patience)
    {
        try
        {
            while (Now < end)
                await Task.Delay(100, patience.Token);
            await patience.CancelAsync();
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // Whoever waited has what it wanted.
        }
    }
}
