using Astra;
using Astra.Commands;
using Astra.Hosting;

// A cage starts this program once per package, so its verbs come before anything that a person's command line needs.
return CagedPrograms.TryRun(args) ?? await AstraCommandLine.RunAsync(args, Composition.OfThisProcess());
