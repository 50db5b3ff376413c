using System.CommandLine;
using System.Text.Json;
using Astra.Auditor;
using Astra.Display;
using Astra.Hosting;
using Astra.Running;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra run ...`: a goal from its submission to its end, in one command.</summary>
public static class RunCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        // Hidden, or the help of `run audit` would ask for a plan as well.
        var plan = new Argument<string>("FILE") { Hidden = true };
        var fresh = Fresh();
        var json = SharedOptions.Json();
        var command = new Command("run", "Run a goal and show it until it ends: `run FILE` for a plan file in YAML, or one of the commands below.")
        {
            CreateAudit(surroundings, shared), CreateAgent(surroundings, shared), plan, fresh, json,
        };
        command.WithExamples("run audit .", "run plan.yaml", "run agent greeter --input '{\"name\": \"Ada\"}'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var path = Inputs.ExistingFile(parsed.GetValue(plan)!);
            var reading = surroundings.ReadPlan(path);
            if (reading is not { Submission: { } submission })
                throw new CommandException(reading.Problem ?? $"{path} holds no plan.");

            // The content makes the run, not the name: an edited file is another plan, and nothing of it has run yet.
            var content = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));
            return await RunAsync(
                new Request(submission, ["run", path, content], parsed.GetValue(fresh), parsed.GetValue(json)),
                parsed, surroundings, shared, cancellationToken);
        });
        return command;
    }

    private static Command CreateAudit(Surroundings surroundings, SharedOptions shared)
    {
        var path = new Argument<string>("PATH") { Description = "The directory to audit. Nothing is written to it." };
        var failOn = new Option<string>("--fail-on")
        {
            Description = "Exit with 2 when the project or a package it uses has a finding this grave: critical, high, medium, low, info, or never.",
            HelpName = "SEVERITY",
            DefaultValueFactory = _ => "high",
        };
        failOn.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value is var word && !IsThreshold(word))
                result.AddError($"--fail-on takes critical, high, medium, low, info or never, not '{word}'");
        });
        var machine = new Option<bool>("--machine") { Description = "Also what is installed on this machine but not used here; its findings count too." };
        var fresh = Fresh();
        var json = SharedOptions.Json();
        var command = new Command("audit", "Find out what the packages a project uses do: hashes, install scripts, native code, and more.")
        {
            path, failOn, machine, fresh, json,
        };
        command.WithExamples("run audit .", "run audit ~/src/shop --fail-on medium", "run audit . --machine --json > audit.json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var directory = Inputs.ReadableDirectory(parsed.GetValue(path)!);
            var everything = parsed.GetValue(machine);
            var submission = new GoalSubmission
            {
                Agent = AuditorAgent.AgentName,
                Title = $"audit {directory}",
                Input = AstraJson.ToElement(new AuditRequest
                {
                    Path = directory,
                    Machine = everything,
                    // Looked up here, where the person's own environment is; the server may run with another.
                    Places = AuditPlaces.OfThisMachine(surroundings.Environment, surroundings.Home),
                }),
            };
            var threshold = ThresholdOf(parsed.GetValue(failOn)!);
            return await RunAsync(
                new Request(submission, ["audit", directory, everything ? "machine" : "project"], parsed.GetValue(fresh), parsed.GetValue(json))
                {
                    // How grave is too grave is judged afterwards: it does not make another audit.
                    Judge = goal => ShowAudit(surroundings.Terminal, goal, threshold, parsed.GetValue(json)),
                },
                parsed, surroundings, shared, cancellationToken);
        });
        return command;
    }

    private static Command CreateAgent(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("NAME") { Description = "The agent, as `agent list` names it." };
        var input = new Option<string?>("--input")
        {
            Description = "What the goal is about, as JSON; @FILE reads it from a file, @- from standard input.",
            HelpName = "JSON",
        };
        var title = new Option<string?>("--title") { Description = "What to call the goal in lists." };
        var fresh = Fresh();
        var json = SharedOptions.Json();
        var command = new Command("agent", "Hand a goal to an agent.") { name, input, title, fresh, json };
        command.WithExamples("run agent greeter --input '{\"name\": \"Ada\"}'", "run agent greeter --input @request.json --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var agent = parsed.GetValue(name)!;
            var given = Inputs.Json(parsed.GetValue(input), "--input", surroundings.Terminal.In);
            var submission = new GoalSubmission { Agent = agent, Title = parsed.GetValue(title), Input = given };
            return await RunAsync(
                new Request(submission, ["agent", agent, given?.GetRawText() ?? "", parsed.GetValue(title) ?? ""], parsed.GetValue(fresh), parsed.GetValue(json)),
                parsed, surroundings, shared, cancellationToken);
        });
        return command;
    }

    private static Option<bool> Fresh() => new("--fresh") { Description = "Start anew, even when the same command was interrupted and could go on." };

    private static async Task<int> RunAsync(
        Request request, ParseResult parsed, Surroundings surroundings, SharedOptions shared, CancellationToken cancellationToken)
    {
        var run = new GoalRun(surroundings, shared.ServerOf(parsed, surroundings));
        var goal = await run.RunAsync(request.Submission, request.Command, request.Fresh, request.Json, cancellationToken);
        if (request.Json)
            JsonOutput.Write(surroundings.Terminal.Out, goal);
        var exitCode = request.Judge?.Invoke(goal) ?? Show(surroundings.Terminal, goal, request.Json);
        if (!request.Json)
        {
            var output = surroundings.Terminal.Out;
            await output.WriteLineAsync("Next:");
            await output.WriteLineAsync($"  {shared.Again(parsed, surroundings, $"goal show {goal.Id}")}");
            await output.WriteLineAsync($"  {shared.Again(parsed, surroundings, $"why {goal.Id}")}");
            if (goal.Tasks.Dead > 0)
                await output.WriteLineAsync($"  {shared.Again(parsed, surroundings, "dead list")}");
        }

        return exitCode;
    }

    private static int Show(Terminal terminal, GoalView goal, bool json)
    {
        if (goal.State is not GoalState.Completed)
        {
            var end = goal.State is GoalState.Failed ? "failed" : "was cancelled";
            var reason = goal.Reason is { } words ? ": " + Tables.Printable(words) : ".";
            terminal.Error.WriteLine($"astra: The goal {end}{reason}");
            return ExitCodes.Error;
        }

        if (!json)
        {
            terminal.Out.WriteLine($"Completed: {Words.Of(goal.Tasks)}.");
            if (goal.Result is { ValueKind: not JsonValueKind.Null } result)
                JsonOutput.Write(terminal.Out, result);
        }

        return ExitCodes.Ok;
    }

    private static int ShowAudit(Terminal terminal, GoalView goal, Severity? threshold, bool json)
    {
        if (goal.State is not GoalState.Completed)
            return Show(terminal, goal, json);
        if (SummaryOf(goal) is not { } audit)
        {
            throw new CommandException(
                $"Goal {goal.Id} completed, but its result is not an audit's; is another agent registered as `{AuditorAgent.AgentName}`?");
        }

        if (!json)
            AuditView.Write(terminal, audit);
        return threshold is { } failOn && audit.Fails(failOn) ? ExitCodes.Findings : ExitCodes.Ok;
    }

    private static AuditSummary? SummaryOf(GoalView goal)
    {
        try
        {
            return goal.Result is { ValueKind: JsonValueKind.Object } result ? AstraJson.Read<AuditSummary>(result) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static bool IsThreshold(string word) =>
        word.Equals("never", StringComparison.OrdinalIgnoreCase)
        || (Enum.TryParse<Severity>(word, ignoreCase: true, out _) && !char.IsAsciiDigit(word[0]));

    private static Severity? ThresholdOf(string word) =>
        word.Equals("never", StringComparison.OrdinalIgnoreCase) ? null : Enum.Parse<Severity>(word, ignoreCase: true);

    private sealed record Request(GoalSubmission Submission, string[] Command, bool Fresh, bool Json)
    {
        /// <summary>Shows how the goal ended and says what that makes the exit code.</summary>
        public Func<GoalView, int>? Judge { get; init; }
    }
}
