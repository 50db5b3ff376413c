using System.Globalization;

namespace Astra.Chaos;

/// <summary>How a run is asked for.</summary>
internal sealed record ChaosOptions
{
    public const string Help = """
        ./astra chaos [--minutes N] [--only KIND,...] [--calm] [--servers N] [--workers N] [--rate N] [--seed N] [--json] [--keep]

        Real servers, workers and a PostgreSQL of its own under load, with real faults; after each one the client's ledger,
        the log, the rows and what the outside world has seen are compared. Exit code 0: all columns of losses are zero.
        Ctrl-C ends the run after the fault under way, with its report; a second one ends it at once.

          --minutes N    how long (10)
          --only KINDS   faults to draw from, separated by commas; --only list tells them
          --calm         no faults but workers that die: a mixed load, and whether memory, backlog and dead rows stay flat
          --servers N    servers on the one database (2)
          --workers N    remote workers beside the one in Python (4)
          --rate N       tasks submitted in a second (100)
          --seed N       which faults come, and in which order; a run says which one it has (drawn from the time)
          --once         each kind of fault once and not by the clock, as `./astra test` does
          --json         the report as JSON on standard output
          --keep         keep logs, ledger and database also when nothing was found

          ./astra chaos --minutes 45
          ./astra chaos --minutes 10 --only server-kill,postgres-kill --seed 7
          ./astra chaos --calm --minutes 30 --json
        """;

    public int Minutes { get; init; } = 10;
    public IReadOnlyList<string> Only { get; init; } = [];
    public bool IsCalm { get; init; }
    public int Servers { get; init; } = 2;
    public int Workers { get; init; } = 4;
    public double TasksPerSecond { get; init; } = 100;
    public ulong Seed { get; init; } = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
    public bool Once { get; init; }
    public bool IsJson { get; init; }
    public bool Keeps { get; init; }

    /// <summary>Not where memory and dead rows are measured: it would be measured along.</summary>
    public bool WatchesWriters => !IsCalm;

    /// <returns>Null, with one sentence, when the words make no sense.</returns>
    public static ChaosOptions? Parse(IReadOnlyList<string> words, IReadOnlyCollection<string> kinds, out string problem)
    {
        var options = new ChaosOptions();
        problem = "";
        for (var i = 0; i < words.Count; i++)
        {
            var word = words[i];
            switch (word)
            {
                case "--calm":
                    options = options with { IsCalm = true };
                    continue;
                case "--once":
                    options = options with { Once = true };
                    continue;
                case "--json":
                    options = options with { IsJson = true };
                    continue;
                case "--keep":
                    options = options with { Keeps = true };
                    continue;
            }
            if (word is not ("--minutes" or "--only" or "--servers" or "--workers" or "--rate" or "--seed"))
            {
                problem = $"There is no option {word}; `./astra chaos --help` lists them.";
                return null;
            }
            if (++i == words.Count)
            {
                problem = $"{word} takes a value; `./astra chaos --help` has examples.";
                return null;
            }
            if (word == "--only")
            {
                options = options with { Only = words[i].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) };
                if (options.Only.FirstOrDefault(kind => !kinds.Contains(kind)) is { } unknown)
                {
                    problem = $"There is no fault {unknown}; there are {string.Join(", ", kinds)}.";
                    return null;
                }
                continue;
            }
            var (least, most) = word switch { "--minutes" => (1, 1_440), "--servers" => (1, 8), "--workers" => (1, 32), "--rate" => (1, 5_000), _ => (0, int.MaxValue) };
            if (!int.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < least || number > most)
            {
                problem = $"{word} takes a number from {least} to {most}, not {words[i]}.";
                return null;
            }
            options = word switch
            {
                "--minutes" => options with { Minutes = number },
                "--servers" => options with { Servers = number },
                "--workers" => options with { Workers = number },
                "--rate" => options with { TasksPerSecond = number },
                _ => options with { Seed = (ulong)number },
            };
        }
        return options;
    }
}
