using System.Text.Json.Serialization;
using Astra.Chaos.Audit;
using Astra.Chaos.Load;

namespace Astra.Chaos.Report;

/// <summary>What became of one episode.</summary>
internal sealed record EpisodeResult
{
    public required string Kind { get; init; }
    public required int ServerKills { get; init; }
    public required int WorkerKills { get; init; }
    public required int PostgresKills { get; init; }
    public required int Pauses { get; init; }
    public required double FencedCommits { get; init; }

    /// <summary>How long the fault lasted.</summary>
    public required TimeSpan Fault { get; init; }

    /// <summary>From its end to the first submission that was acknowledged, to the first task done, and to the end of
    /// everything that had been accepted until then.</summary>
    public required TimeSpan? Accepted { get; init; }
    public required TimeSpan? Done { get; init; }
    public required TimeSpan? AllEnded { get; init; }

    public required IReadOnlyList<string> Notes { get; init; }

    public override string ToString()
    {
        string[] counts =
        [
            .. ServerKills > 0 ? [$"servers killed {ServerKills}"] : (string[])[],
            .. WorkerKills > 0 ? [$"workers killed {WorkerKills}"] : (string[])[],
            .. PostgresKills > 0 ? [$"PostgreSQL killed {PostgresKills}"] : (string[])[],
            .. Pauses > 0 ? [$"paused {Pauses}"] : (string[])[],
            .. FencedCommits > 0 ? [$"commits fenced {FencedCommits}"] : (string[])[],
            .. Notes,
        ];
        return $"{Kind,-20} accepted after {Seconds(Accepted)}, done after {Seconds(Done)}, all ended after {Seconds(AllEnded)}{(counts.Length > 0 ? $"; {string.Join(", ", counts)}" : "")}";
    }

    private static string Seconds(TimeSpan? time) => time is { } known ? $"{known.TotalSeconds:0.00} s" : "never";
}

internal sealed record ChaosReport
{
    [JsonIgnore]
    public required ChaosOptions Options { get; init; }

    public ulong Seed => Options.Seed;
    public required TimeSpan Duration { get; init; }
    public required IReadOnlyList<EpisodeResult> Episodes { get; init; }
    public required IReadOnlyList<string> LeftOut { get; init; }
    public required IReadOnlyList<Finding> Findings { get; init; }
    public required Balance Balance { get; init; }
    public required long Entries { get; init; }
    public required long Attempts { get; init; }
    public required long LostAttempts { get; init; }
    public required long Appends { get; init; }
    public required long Takeovers { get; init; }
    public required int Effects { get; init; }
    public required int ResolvedEffects { get; init; }
    public required int EditsAcknowledged { get; init; }
    public required int WorkerStarts { get; init; }

    /// <summary>How often a server or PostgreSQL ended by itself, and was started again.</summary>
    public required int ServerEnds { get; init; }
    public required int PostgresEnds { get; init; }

    public required IReadOnlyDictionary<int, int> Retries { get; init; }
    public required IReadOnlyDictionary<Shape, int> Shapes { get; init; }
    public required IReadOnlyList<SeriesSummary> Series { get; init; }

    public int ServerKills => Episodes.Sum(episode => episode.ServerKills);
    public int PostgresKills => Episodes.Sum(episode => episode.PostgresKills);
    public int Pauses => Episodes.Sum(episode => episode.Pauses);
    public int WorkerKills => Episodes.Sum(episode => episode.WorkerKills);

    public IReadOnlyDictionary<Loss, int> Losses => Enum.GetValues<Loss>().ToDictionary(loss => loss, loss => Findings.Count(finding => finding.Loss == loss));

    public bool IsClean => Findings.Count == 0;
}
