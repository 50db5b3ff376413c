using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra goal quarantine ...`: goals that the tables refuse.</summary>
public static class QuarantineCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("quarantine", "See goals that the tables refuse, let them out or give them up.")
        {
            CreateList(surroundings, shared), CreateRelease(surroundings, shared), CreateDiscard(surroundings, shared),
        }.WithExamples("goal quarantine list", "goal quarantine release ID", "goal quarantine discard ID --reason 'made by a version with a bug'");

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List the goals in quarantine, the latest first.") { json };
        command.WithExamples("goal quarantine list", "goal quarantine list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goals = await session.Client.ListQuarantinedAsync(cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, goals);
                return;
            }
            Tables.Write(
                surroundings.Terminal, ["ID", "Goal", "Refused because", "Since"],
                goals.Select(goal => (IReadOnlyList<string>)[goal.GoalId.ToString(), goal.Title ?? "", goal.Reason, Words.At(goal.At)]),
                "No goal is in quarantine.");
        });
        return command;
    }

    private static Command CreateRelease(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var json = SharedOptions.Json();
        var command = new Command("release", "Make a goal's rows anew and let it out; if the tables still refuse them, say why.") { id, json };
        command.WithExamples("goal quarantine release ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(surroundings, await session.Client.ReleaseGoalAsync(parsed.GetValue(id), cancellationToken), parsed.GetValue(json), "is out of quarantine");
        });
        return command;
    }

    private static Command CreateDiscard(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var reason = new Option<string>("--reason") { Description = "Why; kept in the log.", HelpName = "TEXT", Required = true };
        var json = SharedOptions.Json();
        var command = new Command("discard", "Give a goal in quarantine up: what is not over is cancelled, and the tables forget it.") { id, reason, json };
        command.WithExamples("goal quarantine discard ID --reason 'made by a version with a bug'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(surroundings, await session.Client.DiscardGoalAsync(parsed.GetValue(id), parsed.GetValue(reason)!, cancellationToken), parsed.GetValue(json), "is given up");
        });
        return command;
    }

    private static void Write(Surroundings surroundings, GoalView goal, bool json, string what)
    {
        if (json)
            JsonOutput.Write(surroundings.Terminal.Out, goal);
        else
            surroundings.Terminal.Out.WriteLine($"Goal {goal.Id} {what}.");
    }
}
