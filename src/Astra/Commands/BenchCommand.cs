using System.CommandLine;
using Astra.Benchmarking;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra bench`: measures this build on this machine, through the public API, on a server and a database of its own.</summary>
public static class BenchCommand
{
    private const int WorkerSlots = 256;

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var suite = new Argument<string>("SUITE") { Description = "What to measure: tasks." };
        suite.AcceptOnlyFromAmong(TasksSuite.Name);
        var only = new Option<string?>("--only") { Description = $"Part of the suite, with commas: {string.Join(",", TasksSuite.Workloads)}.", HelpName = "WORKLOADS" };
        var runs = new Option<int>("--runs") { Description = "How often each workload runs.", DefaultValueFactory = _ => 5 };
        var json = SharedOptions.Json();
        var command = new Command("bench", "Measure: median, smallest and largest of several runs, beside what is promised.") { suite, only, runs, json };
        command.WithExamples("bench tasks", "bench tasks --only drain,latency --runs 3", "bench tasks --json > figures.jsonl");
        command.SetAction((parsed, cancellationToken) => RunAsync(
            surroundings, parsed.GetValue(only), Math.Clamp(parsed.GetValue(runs), 1, 100), parsed.GetValue(json), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(Surroundings surroundings, string? only, int runCount, bool json, CancellationToken cancellationToken)
    {
        var chosen = only?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [.. TasksSuite.Workloads];
        if (chosen.FirstOrDefault(workload => !TasksSuite.Workloads.Contains(workload)) is { } unknown)
            throw new CommandException($"There is no workload {unknown}; choose from {string.Join(", ", TasksSuite.Workloads)}.", ExitCodes.Usage);

        // Made by the data directory's own rules: as root, PostgreSQL's account has to pass through.
        var directory = Path.Combine(Path.GetTempPath(), $"astra-bench-{Environment.ProcessId}");
        try
        {
            var data = new DataDirectory(directory);
            await using var server = await new ServerAccess(surroundings, data, databaseUrl: null, verbose: false).OpenAsync(cancellationToken);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var agent = new NoOpAgent();
            var worker = new AstraWorker(server.File.Address, data.ReadAdminKey()!) { Slots = WorkerSlots, DrainTimeMax = TimeSpan.Zero }.Add(agent);
            var working = worker.RunAsync(ended.Token);

            var report = new BenchReport(surroundings.Terminal.Out, json, TasksSuite.Name);
            report.Begin();
            var suite = new TasksSuite(server.Client, agent, line => surroundings.Terminal.Error.WriteLine(line));
            foreach (var workload in chosen)
                foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                    report.Add(figure);
            report.End();

            await ended.CancelAsync();
            await working;
            return ExitCodes.Ok;
        }
        finally
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
    }
}
