using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.CompilerServices;

namespace Astra.Commands;

/// <summary>The library's help, then what a person would really type, and for `astra --help` the exit codes.</summary>
public sealed class HelpWithExamples(Surroundings surroundings, HelpAction inner, RootCommand root) : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult)
    {
        var exitCode = inner.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        var command = parseResult.CommandResult.Command;
        if (Examples.TryGet(command) is { } examples)
        {
            output.WriteLine("Examples:");
            foreach (var example in examples)
                output.WriteLine($"  {surroundings.InvokedAs} {example}");
            output.WriteLine();
        }

        if (command == root)
            output.WriteLine(ExitCodes.Help);
        return exitCode;
    }
}

/// <summary>Examples hang on commands without the commands knowing it: the library has no place for them.</summary>
public static class Examples
{
    private static readonly ConditionalWeakTable<Command, string[]> Known = [];

    public static TCommand WithExamples<TCommand>(this TCommand command, params string[] lines)
        where TCommand : Command
    {
        Known.Add(command, lines);
        return command;
    }

    public static IReadOnlyList<string>? TryGet(Command command) => Known.TryGetValue(command, out var lines) ? lines : null;
}
