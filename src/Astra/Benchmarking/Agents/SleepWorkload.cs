using Astra.Sdk;

namespace Astra.Benchmarking.Agents;

/// <summary>
/// What agents cost that nobody sends anything to: transactions of the database and resident memory of the server, both
/// above what the same server had before there were any. One run.
/// </summary>
internal sealed class SleepWorkload(SeparateServer server, int agentCount, Action<string> progress)
{
    public const string Name = "sleep";
    public const int AgentCountDefault = 1_000_000;

    /// <summary>After a start or a million inserts the database tidies up for a while; that is not what is asked.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(30);

    // Back ends report their counts when they are idle, at most once a second, so short intervals are ragged.
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(30);

    public async Task<IReadOnlyList<Figure>> RunAsync(string suite, CancellationToken cancellationToken)
    {
        using var client = new AstraClient(server.Address, server.ApiKey);
        var without = await MeasureAsync(client, "without agents", cancellationToken);
        await SleepingAgents.RegisterAsync(client, agentCount, progress, cancellationToken);
        var with = await MeasureAsync(client, $"with {agentCount} agents asleep", cancellationToken);
        return
        [
            new Figure(suite, Name, "statements", "1/s", [with.CommitsPerSecond - without.CommitsPerSecond]),
            new Figure(suite, Name, "resident", "MB", [with.ResidentMb - without.ResidentMb]),
        ];
    }

    private async Task<(double CommitsPerSecond, double ResidentMb)> MeasureAsync(AstraClient client, string what, CancellationToken cancellationToken)
    {
        progress($"{Name}: {what}");
        await Task.Delay(Settling, cancellationToken);
        var before = await client.GetStatusAsync(cancellationToken);
        await Task.Delay(Quiet, cancellationToken);
        var after = await client.GetStatusAsync(cancellationToken);
        if (before.DatabaseCommits is not { } first || after.DatabaseCommits is not { } last)
            throw new InvalidOperationException("The server does not say how many transactions its database has committed.");
        return ((last - first) / Quiet.TotalSeconds, after.ResidentBytes / (1024.0 * 1024));
    }
}
