using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Running;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra dead ...`: tasks that were given up, with the reason, until somebody decides about them.</summary>
public static class DeadCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("dead", "See dead letters: tasks that were given up. Fix, replay or discard them, one by one or by cause.")
        {
            CreateGroups(surroundings, shared), DeadRates.Create(surroundings, shared), DeadEvents.Create(surroundings, shared), CreateList(surroundings, shared), CreateShow(surroundings, shared), CreateFix(surroundings, shared),
            CreateReplay(surroundings, shared), CreateDiscard(surroundings, shared),
        };
        return command.WithExamples(
            "dead groups", "dead rates", "dead list --group 3f9a01c2d4e5", "dead show ID", "dead fix ID --executor tool:unpack@2",
            "dead replay --group 3f9a01c2d4e5 --canary", "dead discard ID --reason 'package withdrawn'");
    }

    private static Option<string?> Group() => new("--group") { Description = "All dead letters of one cause; `dead groups` prints the groups.", HelpName = "GROUP" };

    private static Command CreateGroups(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("groups", "List the causes of death, the latest first.") { json };
        command.WithExamples("dead groups", "dead groups --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var groups = await session.Client.ListDeadGroupsAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, groups);
            else
                FailureViews.WriteGroups(surroundings.Terminal, groups);
        });
        return command;
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var page = new PageOptions();
        var group = Group();
        var json = SharedOptions.Json();
        var command = new Command("list", "List dead letters, the newest first.") { group, page.Limit, page.Cursor, json };
        command.WithExamples("dead list", "dead list --group 3f9a01c2d4e5", "dead list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var dead = await session.Client.ListDeadLettersAsync(parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), parsed.GetValue(group), cancellationToken);
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
        var command = new Command("show", "Show a dead letter and every attempt that was made at it.") { id, json };
        command.WithExamples("dead show ID", "dead show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var story = await session.Client.GetStoryAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, story);
                return;
            }

            FailureViews.WriteStory(surroundings.Terminal, story);
            await surroundings.Terminal.Out.WriteLineAsync();
            GoalViews.WriteWhy(surroundings.Terminal.Out, await session.Client.WhyAsync(story.Task.Id, cancellationToken));
        });
        return command;
    }

    private static Command CreateFix(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task that died.");
        var input = new Option<string?>("--input") { Description = "What it is tried again with, as JSON, @FILE or @- for standard input.", HelpName = "JSON" };
        var executor = new Option<string?>("--executor") { Description = "What tries it again: agent:NAME or tool:NAME[@VERSION].", HelpName = "LABEL" };
        var json = SharedOptions.Json();
        var command = new Command("fix", "Change the input of a dead task, or what runs it, before replaying it.") { id, input, executor, json };
        command.WithExamples("dead fix ID --input '{\"url\": \"https://example.org/\"}'", "dead fix ID --executor tool:unpack@2");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var fix = new DeadLetterFix(parsed.GetValue(executor), Inputs.Json(parsed.GetValue(input), "--input", surroundings.Terminal.In));
            if (fix is { Executor: null, Input: null })
                throw new CommandException("Say what to change: --input, --executor, or both.", ExitCodes.Usage);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var task = await session.Client.FixAsync(parsed.GetValue(id), fix, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is fixed and still dead; `{surroundings.InvokedAs} dead replay {task.Id}` tries it again.");
        });
        return command;
    }

    private static Command CreateReplay(Surroundings surroundings, SharedOptions shared)
    {
        var id = OptionalId("The task that died.");
        var group = Group();
        var canary = new Option<bool>("--canary") { Description = "With --group: replay one first, and the others only if that one completes." };
        var limit = new Option<int?>("--limit") { Description = "With --group: replay at most this many.", HelpName = "COUNT" };
        var json = SharedOptions.Json();
        var command = new Command("replay", "Try a dead task again, with a new budget of attempts, or all of one cause.") { id, group, canary, limit, json };
        command.WithExamples("dead replay ID", "dead replay --group 3f9a01c2d4e5 --canary", "dead replay --group 3f9a01c2d4e5 --limit 100");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (one, cause) = OneOrGroup(parsed.GetValue(id), parsed.GetValue(group));
            if (cause is null && (parsed.GetValue(canary) || parsed.GetValue(limit) is not null))
                throw new CommandException("--canary and --limit go with --group.", ExitCodes.Usage);
            if (parsed.GetValue(limit) is <= 0)
                throw new CommandException("--limit is at least 1.", ExitCodes.Usage);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            if (cause is not null)
            {
                var work = new GroupWork(session.Client, surroundings.Terminal.Error.WriteLine, TimeProvider.System);
                var replayed = await work.ReplayAsync(cause, parsed.GetValue(canary), parsed.GetValue(limit) ?? int.MaxValue, cancellationToken);
                return await EndAsync(surroundings, parsed.GetValue(json), replayed, "replayed");
            }
            var task = await session.Client.ReplayAsync(one!.Value, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is {Words.Of(task.State)} again.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command CreateDiscard(Surroundings surroundings, SharedOptions shared)
    {
        var id = OptionalId("The task that died.");
        var group = Group();
        var reason = new Option<string>("--reason") { Description = "Why; kept with the task.", HelpName = "TEXT", Required = true };
        var json = SharedOptions.Json();
        var command = new Command("discard", "Give a dead task up for good, or all of one cause.") { id, group, reason, json };
        command.WithExamples("dead discard ID --reason 'package withdrawn'", "dead discard --group 3f9a01c2d4e5 --reason 'the site is gone'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (one, cause) = OneOrGroup(parsed.GetValue(id), parsed.GetValue(group));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            if (cause is not null)
            {
                var work = new GroupWork(session.Client, surroundings.Terminal.Error.WriteLine, TimeProvider.System);
                return await EndAsync(surroundings, parsed.GetValue(json), await work.DiscardAsync(cause, parsed.GetValue(reason)!, cancellationToken), "discarded");
            }
            var task = await session.Client.DiscardAsync(one!.Value, parsed.GetValue(reason)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is {Words.Of(task.State)}.");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Argument<Guid?> OptionalId(string description) => new("ID")
    {
        Description = description + " Or --group.",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result =>
        {
            if (result.Tokens.Count == 0)
                return null;
            if (Guid.TryParse(result.Tokens[0].Value, out var id))
                return id;
            result.AddError($"'{result.Tokens[0].Value}' is not an id; `dead list` prints ids that can be pasted");
            return null;
        },
    };

    private static (Guid? One, string? Group) OneOrGroup(Guid? one, string? group) => one is null == group is null
        ? throw new CommandException("Name one dead letter by its id, or a group of them with --group.", ExitCodes.Usage)
        : (one, group);

    private static async Task<int> EndAsync(Surroundings surroundings, bool isJson, GroupOutcome outcome, string verb)
    {
        if (isJson)
            JsonOutput.Write(surroundings.Terminal.Out, outcome);
        else
            await surroundings.Terminal.Out.WriteLineAsync(outcome.Stopped ?? $"{outcome.Done} dead letters {verb}{(outcome.Skipped > 0 ? $"; {outcome.Skipped} could not be and are still there" : "")}.");
        return outcome.Stopped is null && outcome.Skipped == 0 ? ExitCodes.Ok : ExitCodes.Error;
    }
}
