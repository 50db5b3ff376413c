using System.Runtime.InteropServices;
using System.Text.Json;
using Astra.Chaos;
using Astra.Chaos.Episodes;
using Astra.Chaos.Processes;
using Astra.Chaos.Report;
using Astra.Chaos.Worker;
using Astra.Sdk;

if (args is ["worker", var server, var keyFile, var receiver, var slots])
    return await WorkerProgram.RunAsync(server, keyFile, receiver, slots);

// What is mounted for a run, and its network, is then seen by this program and what it starts only, and is gone with them.
Apart.Enter(args);

// Without "run" it is a test program like the others.
if (args is not ["run", .. var words])
    return await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);

if (words.Contains("--help") || words.Contains("-h") || words.Contains("-?"))
{
    Console.WriteLine(ChaosOptions.Help);
    return 0;
}
if (words is ["--only", "list", ..])
{
    Console.WriteLine(string.Join('\n', EpisodeDeck.Kinds));
    return 0;
}
if (ChaosOptions.Parse(words, EpisodeDeck.Kinds, out var problem) is not { } options)
{
    Console.Error.WriteLine(problem);
    return 64;
}

using var interrupted = new CancellationTokenSource();
var run = new ChaosRun(options, Console.Error.WriteLine);
using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
try
{
    Console.Error.WriteLine($"Seed {options.Seed}.");
    var report = await run.RunAsync(interrupted.Token);
    Console.WriteLine(options.IsJson ? JsonSerializer.Serialize(report, new JsonSerializerOptions(AstraJson.Options) { WriteIndented = true }) : ReportText.Of(report));
    return report.IsClean ? 0 : 1;
}
catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
{
    Console.Error.WriteLine("Interrupted; everything that was started has been stopped.");
    return 130;
}
catch (InvalidOperationException e)
{
    Console.Error.WriteLine(e.InnerException is { } inner ? $"{e.Message} {inner}" : e.Message);
    return 1;
}

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    if (run.End())
        Console.Error.WriteLine("Ends after this fault, with the report; once more, and it ends at once.");
    else
        interrupted.Cancel();
}
