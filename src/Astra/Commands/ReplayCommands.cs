using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra replay` and `astra goal fork`: a goal once more, from what was recorded of it.</summary>
public static class ReplayCommands
{
    public static Command CreateReplay(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal; it has ended.");
        var offline = new Option<bool>("--offline") { Description = "Ask no model and run no tool; what has no recording is a failure." };
        var json = SharedOptions.Json();
        var command = new Command("replay", "Reproduce a goal from its recordings, and compare its hash.") { id, offline, json };
        command.WithExamples("replay ID --offline", "replay ID --offline --json");
        command.Validators.Add(result =>
        {
            if (!result.GetValue(offline))
                result.AddError("a replay takes everything from recordings; say so with --offline, or run a goal again from one of its steps with `goal fork`");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var replay = await session.Client.ReplayGoalAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, replay);
            else
                ReplayViews.Write(surroundings.Terminal, replay);
            return replay.IsSame ? ExitCodes.Ok : ExitCodes.Error;
        });
        return command;
    }

    public static Command CreateFork(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var at = new Option<string>("--at") { Description = "The step, by name or by its task's id, from which on it is run again.", HelpName = "TASK", Required = true };
        var json = SharedOptions.Json();
        var command = new Command("fork", "Run a goal again from one of its steps on, as a new goal; what comes before ends as it did and costs nothing.") { id, at, json };
        command.WithExamples("goal fork ID --at review", "goal fork ID --at TASK --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.ForkGoalAsync(parsed.GetValue(id), parsed.GetValue(at)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, goal);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Goal {goal.Id} runs again from {parsed.GetValue(at)} on.");
        });
        return command;
    }
}
