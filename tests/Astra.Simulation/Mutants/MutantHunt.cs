using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Astra.Simulation.Mutants;

/// <param name="SeedCount">Worlds that were needed to notice; those that were run when nothing was.</param>
/// <param name="Finding">What the invariant said; null when the mutant lives.</param>
public sealed record MutantCatch(string Mutant, int SeedCount, string? Finding);

/// <summary>Runs worlds with a broken kernel until one is noticed to be wrong.</summary>
public static partial class MutantHunt
{
    /// <summary>From seed 1 on. The first seed that notices is the same whatever the number of processors.</summary>
    public static MutantCatch Hunt(string mutant, int seedsMax)
    {
        for (var from = 1; from <= seedsMax;)
        {
            if (FirstFinding(mutant, from, seedsMax) is not { } first)
                break;
            // What is found in a whole kernel as well says nothing about the mutant.
            if (FindingOf((ulong)first.Seed) is null)
                return new MutantCatch(mutant, first.Seed, first.Finding);
            from = first.Seed + 1;
        }
        return new MutantCatch(mutant, seedsMax, null);
    }

    private static (int Seed, string Finding)? FirstFinding(string mutant, int from, int seedsMax)
    {
        var findings = new ConcurrentDictionary<int, string>();
        MutantSwitches.Set(mutant);
        try
        {
            Parallel.ForEach(Partitioner.Create(Enumerable.Range(from, seedsMax - from + 1), EnumerablePartitionerOptions.NoBuffering), (seed, loop) =>
            {
                if (!loop.ShouldExitCurrentIteration && FindingOf((ulong)seed) is { } finding)
                {
                    findings[seed] = finding;
                    loop.Break();
                }
            });
        }
        finally
        {
            MutantSwitches.Set(null);
        }
        return findings.IsEmpty ? null : (findings.Keys.Min(), findings[findings.Keys.Min()]);
    }

    // A kernel that is broken may do to a world what nobody foresaw.
    private static string? FindingOf(ulong seed)
    {
        try
        {
            return SimulationRun.Run(seed).Finding;
        }
        catch (Exception e)
        {
            return $"The world itself broke: {e.Message}";
        }
    }

    /// <summary>What was found without the ids that were found.</summary>
    public static string Shorten(string finding, int lengthMax)
    {
        var line = Id().Replace(finding.Split('\n')[0], "…");
        return line.Length <= lengthMax ? line : line[..(lengthMax - 1)] + "…";
    }

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Id();
}
