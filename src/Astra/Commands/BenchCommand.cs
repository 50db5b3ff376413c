using System.CommandLine;
using System.Globalization;
using Astra.Benchmarking;
using Astra.Benchmarking.Agents;
using Astra.Benchmarking.Api;
using Astra.Benchmarking.Kernel;
using Astra.Benchmarking.Router;
using Astra.Benchmarking.Tasks;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra bench`: measures this build on this machine, through the public API, on a server of its own, and on a database of its
/// own or one that --database names, which keeps what was written to it.</summary>
public static class BenchCommand
{
    // Those that are about sleeping agents have a server of their own, in a process of its own.
    private static readonly IReadOnlyList<string> TasksWorkloads = [.. TasksSuite.Workloads, TakeoverWorkload.Name, SleepWorkload.Name];
    private static readonly IReadOnlyList<string> KernelWorkloads = [.. KernelSuite.Workloads, ActivateWorkload.Name];

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var suite = new Argument<string>("SUITE") { Description = "What to measure: tasks (durable, end to end), api (REST), router (models) or kernel (actors in one process)." };
        suite.AcceptOnlyFromAmong(TasksSuite.Name, ApiSuite.Name, RouterSuite.Name, KernelSuite.Name);
        var only = new Option<string?>("--only")
        {
            Description = $"Part of the suite, with commas. tasks: {string.Join(",", TasksWorkloads)}; api: {string.Join(",", ApiSuite.Workloads)}; router: {string.Join(",", RouterSuite.Workloads)}; kernel: {string.Join(",", KernelWorkloads)}.", HelpName = "WORKLOADS",
        };
        var runs = new Option<int>("--runs") { Description = "How often each workload runs.", DefaultValueFactory = _ => 5 };
        var agents = new Option<int?>("--agents")
        {
            Description = $"How many agents sleep (default: {ActivateWorkload.AgentCountDefault} for {ActivateWorkload.Name}, {SleepWorkload.AgentCountDefault} for {SleepWorkload.Name}).", HelpName = "COUNT",
        };
        agents.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var count) && count is < 100 or > 10_000_000)
                result.AddError($"--agents takes a number from 100 to 10000000, not {count}");
        });
        var minutes = new Option<double?>("--minutes") { Description = $"router: how long soak runs (default: {RouterSuite.SoakTimeDefault.TotalSeconds:0} seconds).", HelpName = "MINUTES" };
        minutes.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var count) && count is < 0.1 or > 1_440)
                result.AddError($"--minutes takes a number from 0.1 to 1440, not {result.Tokens[0].Value}");
        });
        var peers = new Option<bool>("--peers") { Description = "kernel: beside each workload the same over a plain bounded channel per actor, as channel/WORKLOAD." };
        var json = SharedOptions.Json();
        var command = new Command("bench", "Measure: median, smallest and largest of several runs, beside what is promised.") { suite, only, runs, agents, minutes, peers, json };
        command.WithExamples("bench tasks", "bench kernel --only tell1,ask --runs 3 --peers", "bench router --only route,stream", "bench router --only soak --minutes 10", "bench tasks --json > figures.jsonl");
        command.SetAction((parsed, cancellationToken) =>
        {
            var (part, runCount, report) = (
                parsed.GetValue(only), Math.Clamp(parsed.GetValue(runs), 1, 100), new BenchReport(surroundings.Terminal.Out, parsed.GetValue(json), parsed.GetValue(suite)!));
            return parsed.GetValue(suite) switch
            {
                KernelSuite.Name => RunKernelAsync(
                    surroundings, WithPeers(Chosen(part, KernelWorkloads), parsed.GetValue(peers)), runCount, parsed.GetValue(agents) ?? ActivateWorkload.AgentCountDefault,
                    report, cancellationToken),
                ApiSuite.Name => RunApiAsync(surroundings, parsed.GetValue(shared.Database), Chosen(part, ApiSuite.Workloads), runCount, report, cancellationToken),
                RouterSuite.Name => RunRouterAsync(
                    surroundings, parsed.GetValue(shared.Database), Chosen(part, RouterSuite.Workloads), runCount,
                    parsed.GetValue(minutes) is { } soak ? TimeSpan.FromMinutes(soak) : RouterSuite.SoakTimeDefault, report, cancellationToken),
                _ => RunTasksAsync(
                    surroundings, parsed.GetValue(shared.Database), Chosen(part, TasksWorkloads), runCount, parsed.GetValue(agents) ?? SleepWorkload.AgentCountDefault, report, cancellationToken),
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

    private static IReadOnlyList<string> WithPeers(IReadOnlyList<string> chosen, bool peers) => peers
        ? [.. chosen.SelectMany(workload => PeerWorkloads.NameOf(workload) is { } peer ? [workload, peer] : (string[])[workload])]
        : chosen;

    private static async Task<int> RunKernelAsync(
        Surroundings surroundings, IReadOnlyList<string> chosen, int runCount, int agentCount, BenchReport report, CancellationToken cancellationToken)
    {
        report.Begin();
        var suite = new KernelSuite(line => surroundings.Terminal.Error.WriteLine(line));
        foreach (var workload in chosen.Where(workload => workload != ActivateWorkload.Name))
            foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                report.Add(figure);
        if (chosen.Contains(ActivateWorkload.Name))
        {
            await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl: null, cancellationToken);
            var activate = new ActivateWorkload(server, agentCount, line => surroundings.Terminal.Error.WriteLine(line));
            foreach (var figure in await activate.RunAsync(KernelSuite.Name, runCount, cancellationToken))
                report.Add(figure);
        }
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task<int> RunApiAsync(
        Surroundings surroundings, string? databaseUrl, IReadOnlyList<string> chosen, int runCount, BenchReport report, CancellationToken cancellationToken)
    {
        await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl, cancellationToken);
        report.Begin();
        using var suite = new ApiSuite(server.Address, server.ApiKey, line => surroundings.Terminal.Error.WriteLine(line));
        foreach (var workload in chosen)
            foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                report.Add(figure);
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task<int> RunRouterAsync(
        Surroundings surroundings, string? databaseUrl, IReadOnlyList<string> chosen, int runCount, TimeSpan soakTime, BenchReport report, CancellationToken cancellationToken)
    {
        await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl, cancellationToken);
        report.Begin();
        await using var suite = await RouterSuite.StartAsync(server, soakTime, line => surroundings.Terminal.Error.WriteLine(line), cancellationToken);
        foreach (var workload in chosen)
            foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                report.Add(figure);
        if (chosen.Count == RouterSuite.Workloads.Count)
            foreach (var (workload, reason) in RouterSuite.NotHere)
                report.Add(new Skipped(RouterSuite.Name, workload, reason));
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task<int> RunTasksAsync(
        Surroundings surroundings, string? databaseUrl, IReadOnlyList<string> chosen, int runCount, int agentCount, BenchReport report, CancellationToken cancellationToken)
    {
        report.Begin();
        if (chosen.Any(TasksSuite.Workloads.Contains))
            await RunDurableAsync(surroundings, databaseUrl, [.. chosen.Where(TasksSuite.Workloads.Contains)], runCount, report, cancellationToken);
        if (chosen.Contains(TakeoverWorkload.Name))
        {
            await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl, cancellationToken);
            var takeover = new TakeoverWorkload(server.Session.Client, server.Address, server.ApiKey, line => surroundings.Terminal.Error.WriteLine(line));
            foreach (var figure in await takeover.RunAsync(runCount, cancellationToken))
                report.Add(figure);
        }
        if (chosen.Contains(SleepWorkload.Name))
        {
            await using var server = await SeparateServer.StartAsync(surroundings, databaseUrl, cancellationToken);
            foreach (var figure in await new SleepWorkload(server, agentCount, line => surroundings.Terminal.Error.WriteLine(line)).RunAsync(TasksSuite.Name, cancellationToken))
                report.Add(figure);
        }
        report.End();
        return ExitCodes.Ok;
    }

    private static async Task RunDurableAsync(
        Surroundings surroundings, string? databaseUrl, IReadOnlyList<string> chosen, int runCount, BenchReport report, CancellationToken cancellationToken)
    {
        // Made by the data directory's own rules: as root, PostgreSQL's account has to pass through.
        var directory = Path.Combine(Path.GetTempPath(), $"astra-bench-{Environment.ProcessId}");
        try
        {
            await using var server = await BenchServer.StartAsync(surroundings, new DataDirectory(directory), databaseUrl, cancellationToken);
            var suite = new TasksSuite(server, line => surroundings.Terminal.Error.WriteLine(line));
            // In the suite's own order: the last one stops the server.
            foreach (var workload in TasksSuite.Workloads.Where(chosen.Contains))
                foreach (var figure in await suite.RunAsync(workload, runCount, cancellationToken))
                    report.Add(figure);
        }
        finally
        {
            if (Directory.Exists(directory))
                Directory.Delete(directory, recursive: true);
        }
    }
}
