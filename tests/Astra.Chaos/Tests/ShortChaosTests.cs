using Astra.Chaos.Report;

namespace Astra.Chaos.Tests;

/// <summary>Each kind of fault once, on real processes. `./astra chaos` is the same for longer.</summary>
public sealed class ShortChaosTests
{
    // Always the same, so that a run that finds something can be had again.
    private const ulong Seed = 1;

    [Fact]
    public async Task Each_fault_once_loses_doubles_and_reorders_nothing_and_everything_ends()
    {
        var said = new List<string>();
        var report = await new ChaosRun(new ChaosOptions { Once = true, Seed = Seed, TasksPerSecond = 60 }, said.Add).RunAsync(TestContext.Current.CancellationToken);

        Assert.True(report.IsClean, $"{string.Join('\n', said)}\n{ReportText.Of(report)}");
        Assert.Equal(report.Episodes.Count + report.LeftOut.Count, Episodes.EpisodeDeck.Kinds.Count);
        Assert.All(report.Episodes, episode => Assert.NotNull(episode.Done));
        Assert.True(report.ServerKills >= 2 && report.PostgresKills == 2 && report.Pauses >= 3, ReportText.Of(report));
    }
}
