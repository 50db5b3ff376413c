using System.Globalization;
using Astra;
using Astra.Benchmarking.Router;
using Astra.Commands;
using Astra.Hosting;

// A cage starts this program once per package, so its verbs come before anything that a person's command line needs.
if (CagedPrograms.TryRun(args) is { } exitCode)
    return exitCode;
using var interruption = new Interruption();
// What `bench router` measures against, in a process of its own.
if (args is [MockUpstream.Verb])
    return await MockUpstream.RunAsync(Console.Out, interruption.Token);
if (args is [PlainProxy.Verb, var port])
    return await PlainProxy.RunAsync(int.Parse(port, CultureInfo.InvariantCulture), Console.Out, interruption.Token);
return await AstraCommandLine.RunAsync(args, Composition.OfThisProcess(interruption.Token));
