using System.CommandLine;
using Astra.Benchmarking;
using Astra.Benchmarking.Api;
using Astra.Benchmarking.Kernel;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra bench`: measures this build on this machine, through the public API, on a server and a database of its own.</summary>
public static class BenchCommand
{
    private const int WorkerSlots = 256;

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var suite = new Argument<string>("SUITE") { Description = "What to measure: tasks (durable, end to end), api (REST) or kernel (actors in one process)." };
        suite.AcceptOnlyFromAmong(TasksSuite.Name, ApiSuite.Name, KernelSuite.Name);
        var only = new Option<string?>("--only")
        {
            Description = $"Part of the suite, with commas. tasks: {string.Join(",", TasksSuite.Workloads)}; api: {string.Join(",", ApiSuite.Workloads)}; kernel: {string.Join(",", KernelSuite.Workloads)}.", HelpName = "WORKLOADS",
        };
        var runs = new Option<int>("--runs") { Description = "How often each workload runs.", DefaultValueFactory = _ => 5 };
        var json = SharedOptions.Json();
        var command = new Command("bench", "Measure: median, smallest and largest of several runs, beside what is promised.") { suite, only, runs, json };
        command.WithExamples("bench tasks", "bench kernel --only tell1,ask --runs 3", "bench tasks --json > figures.jsonl");
        command.SetAction((parsed, cancellationToken) =>
        {
            var (part, runCount, report) = (
                parsed.GetValue(only), Math.Clamp(parsed.GetValue(runs), 1, 100), new BenchReport(surroundings.Terminal.Out, parsed.GetValue(json), parsed.GetValue(suite)!));
            return parsed.GetValue(suite) switch
            {
                KernelSuite.Name => RunKernelAsync(surroundings, Chosen(part, KernelSuite.Workloads), runCount, report, cancellationToken),
                ApiSuite.Name => RunApiAsync(surroundings, Chosen(part, ApiSuite.Workloads), runCount, report, cancellationToken),
                _ => RunTasksAsync(surroundings, Chosen(part, TasksSuite.Workloads), runCount, report, cancellationToken),
            };
        });
        return command;
    }

    private static IReadOnlyList<string> Chosen(string? only, IReadOnlyList<string> known)
    {
        var chosen = only?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [.. known];
        if (chosen.FirstOrDefault(workload => !known.Contains(workload)) is { } unknown)
            throw new CommandException($"There is no workload {unknown}; choose from {string.Join(", ", known)}.", ExitCodes.Usage);
        return chosen;
    }

    private static async Task<int> RunKernelAsync(
        Surroundings surroundings, IReadOnlyList<string> chosen, int runCount, BenchReport report, CancellationToken cancellationToken)
    {
        report.Begin();
        var suite = new KernelSuite(line => surroundings.Terminal.Error.WriteLine(line));
        foreach (var workload in chosen)
            foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                report.Add(figure);
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task<int> RunApiAsync(
        Surroundings surroundings, IReadOnlyList<string> chosen, int runCount, BenchReport report, CancellationToken cancellationToken)
    {
        await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl: null, cancellationToken);
        report.Begin();
        using var suite = new ApiSuite(server.Address, server.ApiKey, line => surroundings.Terminal.Error.WriteLine(line));
        foreach (var workload in chosen)
            foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                report.Add(figure);
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task<int> RunTasksAsync(
        Surroundings surroundings, IReadOnlyList<string> chosen, int runCount, BenchReport report, CancellationToken cancellationToken)
    {
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
