using Astra.Simulation.Commands;
using Astra.Simulation.Mutants;

if (MutantCommand.Take(ref args) is { } exitCode)
    return exitCode;
var command = CommandLine.Parse(args, out var problem);
if (command is null)
{
    Console.Error.WriteLine(problem);
    return 2;
}
return command switch
{
    { WantsHelp: true } => CommandLine.Explain(),
    { Count: { } count } => new ManySeeds(command, count).Run(),
    _ => OneSeed.Run(command),
};
