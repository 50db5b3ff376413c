using System.Diagnostics;
using Astra.Simulation;
using Astra.Simulation.Mutants;

return MutantCommand.Take(ref args) ?? args switch
{
    ["--seed", var seed] => RunOne(ulong.Parse(seed), isTraced: false),
    ["--seed", var seed, "--trace"] => RunOne(ulong.Parse(seed), isTraced: true),
    ["--seeds", var count] => RunMany(1, int.Parse(count)),
    ["--seeds", var count, "--from", var first] => RunMany(ulong.Parse(first), int.Parse(count)),
    _ => Explain(),
};

static int Explain()
{
    Console.Error.WriteLine("astra-simulation --seed N [--trace]     runs one world, and tells what happened in it");
    Console.Error.WriteLine("astra-simulation --seeds N [--from K]   runs N worlds, and says how many were clean");
    foreach (var line in MutantCommand.Help)
        Console.Error.WriteLine(line);
    return 2;
}

static int RunOne(ulong seed, bool isTraced)
{
    var report = SimulationRun.Run(seed, isTraced ? Console.WriteLine : null);
    if (report.Finding is not null)
        Tell(report);
    Console.WriteLine($"Seed {seed}: {report.GoalCount} goals, {report.EntryCount} entries, {report.StepCount} turns, {report.Simulated.TotalSeconds:0} simulated seconds, fingerprint {report.Fingerprint:x16}.");
    return Conclude(report.Finding is null ? 1 : 0, 1);
}

static int RunMany(ulong first, int count)
{
    var clock = Stopwatch.StartNew();
    var (clean, done, entries, answers) = (0, 0, 0L, 0L);
    var gate = new object();
    Parallel.For(0, count, number =>
    {
        var report = SimulationRun.Run(first + (ulong)number);
        lock (gate)
        {
            done++;
            entries += report.EntryCount;
            answers += report.BusAnswerCount;
            if (report.Finding is null)
                clean++;
            else
                Tell(report);
        }
    });
    Console.WriteLine($"{done} worlds, {entries} entries of the log, {answers} answers from other nodes, in {clock.Elapsed.TotalSeconds:0.0} s.");
    return Conclude(clean, count);
}

static void Tell(SimulationReport report)
{
    Console.WriteLine($"Seed {report.Options.Seed} violates an invariant after {report.Simulated.TotalSeconds:0.000} simulated seconds:");
    Console.WriteLine($"  {report.Finding}");
    Console.WriteLine($"  {report.Options}");
    Console.WriteLine($"  The last that happened (astra-simulation --seed {report.Options.Seed} --trace shows all):");
    foreach (var line in LastLinesOf(report.Options.Seed))
        Console.WriteLine($"  {line}");
}

// A run is repeated by its seed, so nothing has to be written down the first time.
static IEnumerable<string> LastLinesOf(ulong seed)
{
    const int LinesMax = 40;
    var last = new Queue<string>();
    SimulationRun.Run(seed, line =>
    {
        last.Enqueue(line);
        if (last.Count > LinesMax)
            last.Dequeue();
    });
    return last;
}

static int Conclude(int clean, int count)
{
    Console.WriteLine($"{clean} of {count} seeds were clean.");
    return clean == count ? 0 : 1;
}
