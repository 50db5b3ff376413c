namespace Astra.Kernel.Scheduling;

/// <summary>How long tasks have run lately, of each executor and of all.</summary>
internal sealed class RunTimes
{
    // Executors of which nothing has run lately are forgotten when there are this many, and then whenever there are twice as many.
    private const int ForgottenAbove = 1_024;

    private readonly Dictionary<string, Longest> _byExecutor = new(StringComparer.Ordinal);
    private readonly Longest _ofAll = new();
    private int _sweepAt = ForgottenAbove;

    public void Add(string executor, TimeSpan time, TimeSpan now)
    {
        if (!_byExecutor.TryGetValue(executor, out var longest))
        {
            if (_byExecutor.Count >= _sweepAt)
                Sweep(now);
            _byExecutor[executor] = longest = new Longest();
        }
        longest.Add(time, now);
        _ofAll.Add(time, now);
    }

    /// <summary>Zero when nothing has run lately.</summary>
    public TimeSpan LongestOfAll(TimeSpan now) => _ofAll.At(now);

    /// <inheritdoc cref="LongestOfAll"/>
    public TimeSpan LongestOf(string executor, TimeSpan now) => _byExecutor.TryGetValue(executor, out var longest) ? longest.At(now) : TimeSpan.Zero;

    private void Sweep(TimeSpan now)
    {
        foreach (var (executor, _) in _byExecutor.Where(one => one.Value.At(now) == TimeSpan.Zero).ToList())
            _byExecutor.Remove(executor);
        _byExecutor.GiveBackRoom(ForgottenAbove);
        _sweepAt = Math.Max(ForgottenAbove, 2 * _byExecutor.Count);
    }
}
