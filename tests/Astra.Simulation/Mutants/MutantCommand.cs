using System.Diagnostics;
using System.Globalization;

namespace Astra.Simulation.Mutants;

/// <summary>What the command line says of mutants.</summary>
public static class MutantCommand
{
    private const int SeedsMax = 100_000;
    private const int FindingLengthMax = 100;

    public static readonly IReadOnlyList<string> Help =
    [
        "astra-simulation --mutant NAME ...              the same with one promise of the kernel broken, for example",
        "                                                --mutant no-fencing --seeds 100, --mutant lost-unblock --seed 3 --trace",
        "astra-simulation --mutants [--seeds-max N]      breaks each promise in turn until that is noticed; a table, and exit 0 if all were",
        "astra-simulation --mutants --only A,B,C ...     the same for these",
        "astra-simulation --mutants --list               their names, and what each breaks",
    ];

    /// <summary>Takes from the arguments what is about mutants. A number is the exit code; null: the rest is for others.</summary>
    public static int? Take(ref string[] args)
    {
        switch (args)
        {
            case ["--mutant", var name, .. var rest] when rest.Length > 0:
                if (Check(name) is { } bad)
                    return bad;
                MutantSwitches.Set(name);
                args = rest;
                return null;
            case ["--mutants", "--list"]:
                foreach (var name in MutantSwitches.Names)
                    Console.WriteLine($"{name,-32} {MutantCatalog.PromiseOf(name)}");
                return 0;
            case ["--mutants", .. var options]:
                var (seedsMax, names) = (SeedsMax, MutantSwitches.Names);
                for (var rest = options; rest.Length > 0; rest = rest[2..])
                {
                    switch (rest)
                    {
                        case ["--seeds-max", var count, ..] when int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out seedsMax) && seedsMax > 0:
                            break;
                        case ["--only", var only, ..]:
                            names = only.Split(',');
                            break;
                        default:
                            return Complain($"{string.Join(' ', rest)} is not understood.");
                    }
                }
                foreach (var name in names)
                    if (Check(name) is { } unknown)
                        return unknown;
                return HuntAll(names, seedsMax);
            default:
                return null;
        }
    }

    private static int? Check(string name) =>
        !MutantSwitches.AreReal ? Complain("This program runs the product's kernel, which has no mutants; run the one of tests/Astra.Simulation.")
        : MutantSwitches.Names.Contains(name) ? null
        : Complain($"There is no mutant {name}; astra-simulation --mutants --list names them.");

    private static int HuntAll(IReadOnlyList<string> names, int seedsMax)
    {
        var clock = Stopwatch.StartNew();
        Console.WriteLine("| mutant | promise that it breaks | seeds | found by |");
        Console.WriteLine("|---|---|---|---|");
        var found = 0;
        foreach (var name in names)
        {
            var caught = MutantHunt.Hunt(name, seedsMax);
            if (caught.Finding is not null)
                found++;
            var by = caught.Finding is { } finding ? MutantHunt.Shorten(finding, FindingLengthMax) : "**nothing**";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {MutantCatalog.PromiseOf(name)} | {caught.SeedCount:N0} | {by.Replace("|", "\\|", StringComparison.Ordinal)} |"));
        }
        Console.WriteLine();
        Console.WriteLine($"{found} of {names.Count} mutants were found, each within {seedsMax} seeds, in {clock.Elapsed.TotalSeconds:0} s.");
        return found == names.Count ? 0 : 1;
    }

    private static int Complain(string problem)
    {
        Console.Error.WriteLine($"astra-simulation: {problem}");
        return 2;
    }
}
