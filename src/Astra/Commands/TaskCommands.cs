using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra task ...`</summary>
public static class TaskCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task.");
        var json = SharedOptions.Json();
        var show = new Command("show", "Show one task: its state, attempts, input, output, and why it failed.") { id, json };
        show.WithExamples("task show ID", "task show ID --json");
        show.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var task = await session.Client.GetTaskAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                GoalViews.WriteTask(surroundings.Terminal, task);
        });
        return new Command("task", "See single tasks.") { show }.WithExamples("task show ID");
    }
}
