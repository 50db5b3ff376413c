using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Astra.Simulation.Commands;

/// <summary>Many worlds on all cores: says how far it is while it runs, and how many were clean when it is done.</summary>
internal sealed class ManySeeds(CommandLine command, int count)
{
    private static readonly TimeSpan ProgressEvery = TimeSpan.FromSeconds(5);

    // A kernel that is broken fails everywhere; nobody reads more of it than this.
    private const int ToldMax = 20;

    private readonly Lock _gate = new();
    private readonly List<int> _steps = [];
    private readonly List<int> _faults = [];
    private readonly List<ulong> _failed = [];
    private readonly long[] _faultsByKind = new long[Enum.GetValues<Fault>().Length];
    private readonly Coverage _coverage = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _entries;
    private long _answers;
    private long _next = -1;
    private volatile bool _isStopped;

    public int Run()
    {
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using (new Timer(_ => Progress(), null, ProgressEvery, ProgressEvery))
        {
            var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(RunSome)).ToList();
            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
        }
        Conclude();
        return _failed.Count == 0 && _steps.Count == count ? 0 : 1;
    }

    private void Stop(PosixSignalContext signal) => (signal.Cancel, _isStopped) = (true, true);

    private void RunSome()
    {
        while (!_isStopped && Interlocked.Increment(ref _next) is var number && number < count)
        {
            var options = command.WorldOf(command.Seed + (ulong)number);
            var report = SimulationRun.Run(options);
            lock (_gate)
                Take(options, report);
        }
    }

    private void Take(SimulationOptions options, SimulationReport report)
    {
        _steps.Add((int)report.StepCount);
        _faults.Add(report.Faults.Total);
        _entries += report.EntryCount;
        _answers += report.BusAnswerCount;
        _coverage.Add(report.Coverage);
        foreach (var fault in Enum.GetValues<Fault>())
            _faultsByKind[(int)fault] += report.Faults[fault];
        if (report.Finding is null)
            return;
        _failed.Add(options.Seed);
        if (_failed.Count <= ToldMax)
            OneSeed.Tell(command.WantsJson ? Console.Error : Console.Out, options, report);
    }

    private void Progress()
    {
        lock (_gate)
            Console.Error.WriteLine($"{_steps.Count} of {count} worlds, {_failed.Count} not clean, {_steps.Count / _clock.Elapsed.TotalSeconds:0} a second ...");
    }

    private void Conclude()
    {
        var seconds = _clock.Elapsed.TotalSeconds;
        var (done, clean) = (_steps.Count, _steps.Count - _failed.Count);
        if (command.WantsJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                seeds = done, asked = count, clean, failed = _failed.Order(), seconds, seedsPerSecond = done / seconds, medianSteps = Median(_steps), medianFaults = Median(_faults),
                entries = _entries, answers = _answers, cellsReached = _coverage.ReachedCount, cells = Coverage.CellCount, missing = _coverage.Missing,
                faults = Enum.GetValues<Fault>().ToDictionary(fault => fault.ToString(), fault => _faultsByKind[(int)fault]),
            }));
            return;
        }
        if (done < count)
            Console.WriteLine($"Stopped after {done} of {count} worlds.");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{done} worlds in {seconds:0.0} s, {done / seconds:0} a second; median {Median(_steps)} steps and {Median(_faults)} faults; {_entries} entries of the log, {_answers} answers from other nodes."));
        Console.WriteLine($"Faults: {string.Join(", ", Enum.GetValues<Fault>().Select(fault => $"{fault} {_faultsByKind[(int)fault]}"))}.");
        Console.WriteLine($"{_coverage.ReachedCount} of {Coverage.CellCount} moves and kinds of events were reached{(_coverage.Missing is { Count: > 0 } missing ? $"; not {string.Join(", ", missing)}" : "")}.");
        Console.WriteLine($"{clean} of {done} seeds were clean.");
    }

    private static int Median(List<int> values) => values.Count == 0 ? 0 : values.Order().ElementAt(values.Count / 2);
}
