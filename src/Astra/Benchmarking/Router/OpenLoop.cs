using System.Diagnostics;

namespace Astra.Benchmarking.Router;

/// <summary>
/// Requests at a rate that does not ask how long answers take, as from many clients who know nothing of each other. What waits
/// because its connection is still busy waits since it was due, so a server that stalls cannot slow down its own measurement.
/// </summary>
internal static class OpenLoop
{
    /// <returns>Milliseconds from when each was due, or sent where its connection was free, to the end of its answer.</returns>
    public static async Task<List<double>> RunAsync(RouterClient[] clients, int perSecond, TimeSpan duration, CancellationToken cancellationToken)
    {
        var since = Stopwatch.GetTimestamp();
        var period = TimeSpan.FromSeconds((double)clients.Length / perSecond);
        var times = await Task.WhenAll(clients.Select((client, index) => Task.Run(async () =>
        {
            var mine = new List<double>();
            for (var due = period * index / clients.Length; due < duration; due += period)
            {
                if (due - Stopwatch.GetElapsedTime(since) is var early && early > TimeSpan.Zero)
                    await Task.Delay(early, cancellationToken);
                else
                    early = TimeSpan.Zero;
                // A timer is late by a millisecond; that is this program's and not the server's.
                var from = early > TimeSpan.Zero ? Stopwatch.GetElapsedTime(since) : due;
                await client.AskAsync(cancellationToken);
                mine.Add((Stopwatch.GetElapsedTime(since) - from).TotalMilliseconds);
            }
            return mine;
        }, cancellationToken)));
        return [.. times.SelectMany(mine => mine)];
    }
}
