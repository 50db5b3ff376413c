using System.Globalization;
using System.Text;

namespace Astra.Simulation.Commands;

/// <summary>
/// Makes a failing world smaller: whole kinds of trouble first, then nodes, clients, workers, time, goals and tasks. Each
/// step is kept when the world still fails, with whatever finding, and tried again until nothing more can go.
/// </summary>
internal static class Shrinker
{
    public static (SimulationOptions Options, SimulationReport Report) Shrink(SimulationOptions options, SimulationReport report, Action<string>? say = null)
    {
        for (var isSmaller = true; isSmaller;)
        {
            isSmaller = false;
            foreach (var (what, smaller) in Candidates(options))
            {
                var tried = smaller(options);
                if (tried == options || SimulationRun.Run(tried) is not { Finding: not null } failed)
                    continue;
                (options, report, isSmaller) = (tried, failed, true);
                say?.Invoke($"Without {what} it fails too, after {failed.StepCount} steps.");
            }
        }
        return (options, report);
    }

    /// <summary>What runs the same world again.</summary>
    public static string CommandOf(SimulationOptions options)
    {
        var drawn = SimulationOptions.Draw(options.Seed);
        var command = new StringBuilder();
        command.Append(CultureInfo.InvariantCulture, $"astra-simulation --seed {options.Seed}");
        void Add(string word, int value, int before)
        {
            if (value != before)
                command.Append(CultureInfo.InvariantCulture, $" {word} {value}");
        }
        Add("--nodes", options.NodeCount, drawn.NodeCount);
        Add("--clients", options.ClientCount, drawn.ClientCount);
        Add("--workers", options.WorkersPerNode, drawn.WorkersPerNode);
        Add("--goals", options.GoalCountMax, drawn.GoalCountMax);
        Add("--tasks", options.TaskCountMax, drawn.TaskCountMax);
        if (options.FaultsDuration != drawn.FaultsDuration)
            command.Append(CultureInfo.InvariantCulture, $" --seconds {options.FaultsDuration.TotalSeconds:0}");
        var without = Ingredient.All.Where(one => one.IsIn(drawn) && !one.IsIn(options)).Select(one => one.Word).ToList();
        if (without.Count > 0)
            command.Append(CultureInfo.InvariantCulture, $" --without {string.Join(",", without)}");
        return command.ToString();
    }

    private static IEnumerable<(string What, Func<SimulationOptions, SimulationOptions> Smaller)> Candidates(SimulationOptions options)
    {
        foreach (var ingredient in Ingredient.All.Where(one => one.IsIn(options)))
            yield return (ingredient.Word, ingredient.Without);
        for (var nodes = 1; nodes < options.NodeCount; nodes++)
        {
            var fewer = nodes;
            yield return ($"all but {fewer} nodes", one => one.NodeCount > fewer ? one with { NodeCount = fewer } : one);
        }
        yield return ("one client", one => one.ClientCount > 1 ? one with { ClientCount = one.ClientCount - 1 } : one);
        yield return ("one worker of each node", one => one.WorkersPerNode > 1 ? one with { WorkersPerNode = one.WorkersPerNode - 1 } : one);
        yield return ("the last second", one => Math.Ceiling(one.FaultsDuration.TotalSeconds) - 1 is var seconds and >= 1 ? one with { FaultsDuration = TimeSpan.FromSeconds(seconds) } : one);
        foreach (var goals in (int[])[1, 2, 3, 5, 8])
            yield return ($"goals beyond {goals}", one => one.GoalCountMax > goals ? one with { GoalCountMax = goals } : one);
        yield return ("one task of each goal", one => one.TaskCountMax > 1 ? one with { TaskCountMax = one.TaskCountMax - 1 } : one);
    }
}
