using Astra.Chaos.Processes;

namespace Astra.Chaos.Report;

/// <summary>What is looked at every few seconds, to see whether it grows: memory, backlog, dead rows, the log.</summary>
internal sealed class Samples(World world) : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, List<double>> _series = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private Task _sampling = Task.CompletedTask;

    public void Start() => _sampling = SampleAsync(_stopping.Token);

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _sampling;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested)
            await StopAsync();
        _stopping.Dispose();
    }

    public IReadOnlyList<SeriesSummary> Summarise() => [.. _series.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => SeriesSummary.Of(one.Key, one.Value))];

    private async Task SampleAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var timer = new PeriodicTimer(Period);
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                foreach (var server in world.Servers)
                {
                    if (server.ResidentBytes is { } bytes)
                        Add($"{server.Name}, resident MB", bytes / 1e6);
                    if (await world.ReadMetricAsync(server, "dotnet_gc_last_collection_heap_size_bytes", cancellationToken) is { } heap)
                        Add($"{server.Name}, heap MB", heap / 1e6);
                    if (await world.ReadMetricAsync(server, "astra_projection_backlog_entries", cancellationToken) is { } backlog)
                        Add($"{server.Name}, backlog of rows", backlog);
                }
                foreach (var (table, count) in await world.View.ReadDeadTuplesAsync(cancellationToken))
                    Add($"dead rows of {table}", count);
                Add("log MB", await world.View.ReadLogBytesAsync(cancellationToken) / 1e6);
            }
        }
        catch (OperationCanceledException)
        {
            // The run is over.
        }
    }

    private void Add(string name, double value)
    {
        if (!_series.TryGetValue(name, out var values))
            _series.Add(name, values = []);
        values.Add(value);
    }
}

/// <summary>A series at four moments, each the median of a tenth of the run, and the word for what it does.</summary>
internal sealed record SeriesSummary(string Name, double Start, double Third, double TwoThirds, double End, string Verdict)
{
    // Half as much again as in the middle of the run would be twice as much in another hour. Below the floor it is noise.
    private const double GrowthMax = 1.5;
    // By then a server has what it needs for the same load again.
    private const double ResidentGrowthMax = 1.1;
    // Collections let it rise for minutes before they close its gaps.
    private const double HeapGrowthMax = 1.25;
    private const double RowsFloor = 5_000;
    private const double MemoryFloor = 50;

    public static SeriesSummary Of(string name, List<double> values)
    {
        var (start, third, twoThirds, end) = (MedianAt(values, 0.05), MedianAt(values, 0.33), MedianAt(values, 0.67), MedianAt(values, 0.95));
        var (growth, floor) = name.EndsWith("resident MB", StringComparison.Ordinal) ? (ResidentGrowthMax, MemoryFloor)
            : name.EndsWith("heap MB", StringComparison.Ordinal) ? (HeapGrowthMax, MemoryFloor)
            : (GrowthMax, RowsFloor);
        var verdict = name.StartsWith("log", StringComparison.Ordinal) ? "grows: it is the history, kept for as long as --keep-history says"
            : end > floor && end > third * growth && end > twoThirds ? "grows"
            : "flat";
        return new SeriesSummary(name, start, third, twoThirds, end, verdict);
    }

    private static double MedianAt(List<double> values, double part)
    {
        var width = Math.Max(1, values.Count / 10);
        var first = Math.Clamp((int)(values.Count * part) - width / 2, 0, values.Count - width);
        var window = values.Skip(first).Take(width).Order().ToList();
        return window[window.Count / 2];
    }
}
