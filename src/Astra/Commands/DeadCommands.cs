using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra dead ...`: tasks that were given up, with the reason, until somebody decides about them.</summary>
public static class DeadCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("dead", "See dead letters: tasks that were given up. Replay or discard them.")
        {
            CreateList(surroundings, shared), CreateShow(surroundings, shared), CreateReplay(surroundings, shared), CreateDiscard(surroundings, shared),
        };
        return command.WithExamples("dead list", "dead show ID", "dead replay ID", "dead discard ID --reason 'package withdrawn'");
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var page = new PageOptions();
        var json = SharedOptions.Json();
        var command = new Command("list", "List dead letters, the newest first.") { page.Limit, page.Cursor, json };
        command.WithExamples("dead list", "dead list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var dead = await session.Client.ListDeadLettersAsync(parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, dead);
            else
                GoalViews.WriteDeadLetters(surroundings.Terminal, dead);
        });
        return command;
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task that died.");
        var json = SharedOptions.Json();
        var command = new Command("show", "Show a dead letter and what it died of.") { id, json };
        command.WithExamples("dead show ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var task = await session.Client.GetTaskAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, task);
                return;
            }

            GoalViews.WriteTask(surroundings.Terminal, task);
            await surroundings.Terminal.Out.WriteLineAsync();
            GoalViews.WriteWhy(surroundings.Terminal.Out, await session.Client.WhyAsync(task.Id, cancellationToken));
        });
        return command;
    }

    private static Command CreateReplay(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task that died.");
        var json = SharedOptions.Json();
        var command = new Command("replay", "Try a dead task again, with a new budget of attempts.") { id, json };
        command.WithExamples("dead replay ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var task = await session.Client.ReplayAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is {Words.Of(task.State)} again.");
        });
        return command;
    }

    private static Command CreateDiscard(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task that died.");
        var reason = new Option<string>("--reason") { Description = "Why; kept with the task.", HelpName = "TEXT", Required = true };
        var json = SharedOptions.Json();
        var command = new Command("discard", "Give a dead task up for good.") { id, reason, json };
        command.WithExamples("dead discard ID --reason 'package withdrawn'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var task = await session.Client.DiscardAsync(parsed.GetValue(id), parsed.GetValue(reason)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is {Words.Of(task.State)}.");
        });
        return command;
    }
}
