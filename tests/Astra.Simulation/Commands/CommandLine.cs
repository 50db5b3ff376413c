using System.Globalization;

namespace Astra.Simulation.Commands;

/// <summary>What was asked for.</summary>
/// <param name="Change">What the options make of the world that a seed stands for.</param>
internal sealed record CommandLine(ulong Seed, int? Count, bool WantsTrace, bool WantsShrink, bool WantsJson, bool WantsHelp, Func<SimulationOptions, SimulationOptions> Change)
{
    private const string Help = """
        astra-simulation: the real kernel in small worlds where everything goes wrong, one for each seed.

          astra-simulation --seed N [--trace] [--shrink] [--json] [CHANGES]
          astra-simulation --seeds COUNT [--from N] [--json] [CHANGES]

          --seed N          runs one world
          --trace           one line for each change: when, on which node, in which shard, what
          --shrink          leaves out whatever a failing world can do without, and says how to run what is left
          --seeds COUNT     runs that many worlds on all cores; Ctrl-C stops it and counts what was done
          --from N          the first of them (1)
          --json            the result as one line of JSON

        CHANGES make another world of the same seed:
          --nodes N  --clients N  --workers N  --goals N  --tasks N  --seconds S  --without WORD,WORD

        Words are:
        """;

    private const string Examples = """

        Examples:
          astra-simulation --seed 42 --trace
          astra-simulation --seed 42 --nodes 1 --goals 2 --without pauses,loss
          astra-simulation --seeds 10000
          astra-simulation --seeds 1000000 --from 5000000 --json

        Exits with 0 when every world was clean, with 1 when one was not, and with 2 when it does not understand.
        """;

    public SimulationOptions WorldOf(ulong seed) => Change(SimulationOptions.Draw(seed));

    public static CommandLine? Parse(string[] args, out string? problem)
    {
        problem = null;
        ulong? seed = null;
        ulong? first = null;
        int? count = null;
        var (trace, shrink, json, help) = (false, false, false, false);
        Func<SimulationOptions, SimulationOptions> change = options => options;
        void Then(Func<SimulationOptions, SimulationOptions> next)
        {
            var before = change;
            change = options => next(before(options));
        }

        for (var i = 0; i < args.Length && problem is null; i++)
        {
            var word = args[i];
            string? Value() => i + 1 < args.Length ? args[++i] : null;
            switch (word)
            {
                case "--help" or "-h":
                    help = true;
                    break;
                case "--trace":
                    trace = true;
                    break;
                case "--shrink":
                    shrink = true;
                    break;
                case "--json":
                    json = true;
                    break;
                case "--seed":
                    seed = Number(word, Value(), ref problem);
                    break;
                case "--from":
                    first = Number(word, Value(), ref problem);
                    break;
                case "--seeds":
                    count = Small(word, Value(), 1, int.MaxValue, ref problem);
                    break;
                case "--nodes" when Small(word, Value(), 1, 5, ref problem) is { } nodes:
                    Then(options => options with { NodeCount = nodes });
                    break;
                case "--clients" when Small(word, Value(), 1, 20, ref problem) is { } clients:
                    Then(options => options with { ClientCount = clients });
                    break;
                case "--workers" when Small(word, Value(), 1, 20, ref problem) is { } workers:
                    Then(options => options with { WorkersPerNode = workers });
                    break;
                case "--goals" when Small(word, Value(), 1, 100_000, ref problem) is { } goals:
                    Then(options => options with { GoalCountMax = goals });
                    break;
                case "--tasks" when Small(word, Value(), 1, 100, ref problem) is { } tasks:
                    Then(options => options with { TaskCountMax = tasks });
                    break;
                case "--seconds" when Small(word, Value(), 1, 3_600, ref problem) is { } seconds:
                    Then(options => options with { FaultsDuration = TimeSpan.FromSeconds(seconds) });
                    break;
                case "--without":
                    foreach (var name in (Value() ?? "").Split(',', StringSplitOptions.TrimEntries))
                        if (Ingredient.Find(name) is { } ingredient)
                            Then(ingredient.Without);
                        else
                            problem ??= $"There is no '{name}' to leave out; the words are {string.Join(", ", Ingredient.All.Select(one => one.Word))}.";
                    break;
                default:
                    problem ??= $"'{word}' is no option of astra-simulation; --help lists them.";
                    break;
            }
        }

        problem ??= help ? null
            : (seed is null) == (count is null) ? "Say either --seed N for one world or --seeds COUNT for many; --help has examples."
            : first is not null && count is null ? "--from goes with --seeds: it is the first of many."
            : (trace || shrink) && seed is null ? "--trace and --shrink go with --seed: they are about one world."
            : null;
        return problem is null ? new CommandLine(seed ?? first ?? 1, count, trace, shrink, json, help, change) : null;
    }

    public static int Explain()
    {
        Console.WriteLine(Help);
        foreach (var line in Ingredient.All.Select(one => one.Word).Chunk(8))
            Console.WriteLine($"  {string.Join(", ", line)}");
        Console.WriteLine();
        foreach (var line in Mutants.MutantCommand.Help)
            Console.WriteLine($"  {line}");
        Console.WriteLine(Examples);
        return 0;
    }

    private static ulong? Number(string word, string? text, ref string? problem)
    {
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number;
        problem ??= $"{word} takes a number of at least 0, not '{text}'.";
        return null;
    }

    private static int? Small(string word, string? text, int min, int max, ref string? problem)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        problem ??= $"{word} takes a number from {min} to {max}, not '{text}'.";
        return null;
    }
}
