using System.CommandLine;
using System.CommandLine.Help;

namespace Astra.Commands;

/// <summary>The tree of verbs, and the one place where what went wrong becomes a sentence and an exit code.</summary>
public static class AstraCommandLine
{
    public static async Task<int> RunAsync(IReadOnlyList<string> args, Surroundings surroundings)
    {
        var shared = new SharedOptions();
        var root = Create(surroundings, shared);
        // Whoever types nothing wants to know what there is to type.
        var parsed = root.Parse(args.Count == 0 ? ["--help"] : args, new ParserConfiguration
        {
            // `--input @FILE` reads JSON from a file; the library would read more arguments from it.
            ResponseFileTokenReplacer = null,
        });
        var terminal = surroundings.Terminal;
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction and not HelpWithExamples)
        {
            await terminal.Error.WriteLineAsync($"astra: {WhatIsWrong(parsed)}; see `{surroundings.InvokedAs} {PathOf(parsed)}--help`.");
            return ExitCodes.Usage;
        }

        try
        {
            return await parsed.InvokeAsync(
                new InvocationConfiguration
                {
                    Output = terminal.Out,
                    Error = terminal.Error,
                    EnableDefaultExceptionHandler = false,
                    // Surroundings.Interrupted says what Ctrl-C means.
                    ProcessTerminationTimeout = null,
                },
                surroundings.Interrupted);
        }
        catch (Exception e)
        {
            var (sentence, exitCode) = Sentences.Of(e);
            await terminal.Error.WriteLineAsync($"astra: {sentence}");
            if (parsed.GetValue(shared.Verbose))
                await terminal.Error.WriteLineAsync(e.ToString());
            return exitCode;
        }
    }

    private static RootCommand Create(Surroundings surroundings, SharedOptions shared)
    {
        var root = new RootCommand("Astra runs AI agents like processes: their work is durable, their tools are caged, and every \"why\" has an answer.")
        {
            RunCommands.Create(surroundings, shared),
            ServeCommand.Create(surroundings, shared),
            UpCommand.Create(surroundings, shared),
            DownCommand.Create(surroundings, shared),
            StatusCommand.Create(surroundings, shared),
            DoctorCommand.Create(surroundings, shared),
            GoalCommands.Create(surroundings, shared),
            ReplayCommands.CreateReplay(surroundings, shared),
            PlanCommands.Create(surroundings, shared),
            TaskCommands.Create(surroundings, shared),
            AgentCommands.Create(surroundings, shared),
            SendCommand.Create(surroundings, shared),
            DeadCommands.Create(surroundings, shared),
            EffectCommands.Create(surroundings, shared),
            ApprovalCommands.Create(surroundings, shared),
            HookCommands.Create(surroundings, shared),
            ModelCommands.Create(surroundings, shared),
            LimitCommands.Create(surroundings, shared),
            BudgetCommands.Create(surroundings, shared),
            UsageCommand.Create(surroundings, shared),
            PriceCommands.Create(surroundings, shared),
            SecretCommands.Create(surroundings, shared),
            TokenCommands.Create(surroundings, shared),
            ScheduleCommands.Create(surroundings, shared),
            TenantCommands.Create(surroundings, shared),
            DrainCommand.Create(surroundings, shared),
            WhyCommand.Create(surroundings, shared),
            PsCommand.Create(surroundings, shared),
            TopCommand.Create(surroundings, shared),
            ActorCommands.CreateRestart(surroundings, shared),
            ActorCommands.CreateKill(surroundings, shared),
            BenchCommand.Create(surroundings, shared),
            VersionCommand.Create(surroundings, shared),
        };
        root.Options.Add(shared.Data);
        root.Options.Add(shared.Database);
        root.Options.Add(shared.KeyFile);
        root.Options.Add(shared.Verbose);
        root.WithExamples(
            "run audit .               # what do the packages this project uses do?",
            "up                        # keep a server running",
            "goal list                 # what is going on",
            "why ID                    # why is it not done?");
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new HelpWithExamples(surroundings, (HelpAction)option.Action!, root);
        return root;
    }

    /// <remarks>A misspelt word makes the library miss the word it stands for; the misspelling is what helps.</remarks>
    private static string WhatIsWrong(ParseResult parsed) =>
        parsed.UnmatchedTokens is [var unknown, ..] ? $"'{unknown}' is not understood here" : parsed.Errors[0].Message.TrimEnd('.');

    private static string PathOf(ParseResult parsed)
    {
        var names = new Stack<string>();
        for (var result = parsed.CommandResult; result.Parent is System.CommandLine.Parsing.CommandResult parent; result = parent)
            names.Push(result.Command.Name);
        return string.Concat(names.Select(name => name + " "));
    }
}
