using System.Text.Json;

namespace Astra.Simulation.Commands;

/// <summary>One world, told in full, and made smaller when it fails.</summary>
internal static class OneSeed
{
    public static int Run(CommandLine command)
    {
        var options = command.WorldOf(command.Seed);
        var report = SimulationRun.Run(options, command.WantsTrace ? Console.WriteLine : null);
        if (command.WantsJson)
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                seed = options.Seed, clean = report.Finding is null, finding = report.Finding, fingerprint = $"{report.Fingerprint:x16}", steps = report.StepCount,
                entries = report.EntryCount, goals = report.GoalCount, faults = report.Faults.Total, seconds = report.Simulated.TotalSeconds,
            }));
        else
            Console.WriteLine($"Seed {options.Seed}: {report.GoalCount} goals, {report.EntryCount} entries, {report.StepCount} steps, {report.Faults.Total} faults, {report.Simulated.TotalSeconds:0} simulated seconds, fingerprint {report.Fingerprint:x16}.");
        if (report.Finding is null)
        {
            if (!command.WantsJson)
                Console.WriteLine("1 of 1 seeds was clean.");
            return 0;
        }

        if (command.WantsShrink)
            (options, report) = Shrinker.Shrink(options, report, Console.Error.WriteLine);
        if (!command.WantsJson || command.WantsShrink)
            Tell(Console.Out, options, report);
        if (!command.WantsJson)
            Console.WriteLine("0 of 1 seeds were clean.");
        return 1;
    }

    public static void Tell(TextWriter to, SimulationOptions options, SimulationReport report)
    {
        to.WriteLine($"Seed {options.Seed} violates an invariant after {report.Simulated.TotalSeconds:0.000} simulated seconds and {report.StepCount} steps:");
        to.WriteLine($"  {report.Finding}");
        to.WriteLine(Ingredient.DescribeAll(options, "  "));
        to.WriteLine("  The last that happened:");
        foreach (var line in LastLinesOf(options))
            to.WriteLine($"    {line}");
        to.WriteLine($"  Again: {Shrinker.CommandOf(options)} --trace");
    }

    // A world is repeated by its options, so nothing has to be written down the first time.
    private static IEnumerable<string> LastLinesOf(SimulationOptions options)
    {
        const int LinesMax = 40;
        var last = new Queue<string>();
        SimulationRun.Run(options, line =>
        {
            last.Enqueue(line);
            if (last.Count > LinesMax)
                last.Dequeue();
        });
        return last;
    }
}
