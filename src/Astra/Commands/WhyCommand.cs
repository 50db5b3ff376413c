using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra why ID`: one true sentence, and what it rests on.</summary>
public static class WhyCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("A goal or a task.");
        var json = SharedOptions.Json();
        var command = new Command("why", "Say why a goal or a task is where it is.") { id, json };
        command.WithExamples("why ID", "why ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var why = await session.Client.WhyAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, why);
            else
                GoalViews.WriteWhy(surroundings.Terminal.Out, why);
        });
        return command;
    }
}
