using Astra;
using Astra.Commands;
using Astra.Hosting;

// A cage starts this program once per package, so its verbs come before anything that a person's command line needs.
if (CagedPrograms.TryRun(args) is { } exitCode)
    return exitCode;
using var interruption = new Interruption();
return await AstraCommandLine.RunAsync(args, Composition.OfThisProcess(interruption.Token));
