using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra goal ...`</summary>
public static class GoalCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("goal", "See and steer goals.")
        {
            GoalSubmitCommand.Create(surroundings, shared), CreateList(surroundings, shared), CreateShow(surroundings, shared), CreateCancel(surroundings, shared), CreateEvents(surroundings, shared), QuarantineCommands.Create(surroundings, shared),
            CreatePause(surroundings, shared), CreateResume(surroundings, shared), ReplayCommands.CreateFork(surroundings, shared),
        };
        return command.WithExamples("goal submit plan.yaml --after ID", "goal list --state active", "goal show ID", "goal cancel ID", "goal events ID --follow");
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var state = new Option<GoalState?>("--state") { Description = "Only goals that are active, completed, failed or cancelled.", HelpName = "STATE" };
        var agent = new Option<string?>("--agent") { Description = "Only goals of this agent.", HelpName = "NAME" };
        var parent = new Option<Guid?>("--parent") { Description = "Only the children of this goal.", HelpName = "GOAL" };
        var page = new PageOptions();
        var json = SharedOptions.Json();
        var command = new Command("list", "List goals, the newest first.") { state, agent, parent, page.Limit, page.Cursor, json };
        command.WithExamples("goal list", "goal list --state failed --agent auditor", "goal list --parent ID", "goal list --json");
        command.Validators.Add(result =>
        {
            if (result.GetValue(parent) is not null && result.GetValue(agent) is not null)
                result.AddError("--parent lists the children of a goal, of whichever agent; leave --agent out");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goals = parsed.GetValue(parent) is { } family
                ? await session.Client.ListChildrenAsync(family, parsed.GetValue(state), parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken)
                : await session.Client.ListGoalsAsync(parsed.GetValue(state), parsed.GetValue(agent), parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, goals);
            else
                GoalViews.WriteGoals(surroundings.Terminal, goals);
        });
        return command;
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var json = SharedOptions.Json();
        var command = new Command("show", "Show a goal, its steps and its children.") { id, json };
        command.WithExamples("goal show ID", "goal show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.GetGoalAsync(parsed.GetValue(id), cancellationToken);
            var children = await session.Client.ListChildrenAsync(goal.Id, cancellationToken: cancellationToken);
            goal = goal with { Children = new Page<ChildGoal>([.. children.Items.Select(child => new ChildGoal(child.Id, child.Agent, child.Title, child.State))], children.Next) };
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, goal);
                return;
            }

            GoalViews.WriteGoal(surroundings.Terminal, goal);
            GoalViews.WritePlan(surroundings.Terminal, await session.Client.GetPlanAsync(goal.Id, cancellationToken));
            GoalViews.WriteChildren(surroundings.Terminal, children);
            if (children.Next is { } next)
                await surroundings.Terminal.Out.WriteLineAsync($"There are more: {shared.Again(parsed, surroundings, $"goal list --parent {goal.Id} --cursor {next}")}");
        });
        return command;
    }

    private static Command CreateCancel(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var reason = new Option<string?>("--reason") { Description = "Why; kept with the goal.", HelpName = "TEXT" };
        var json = SharedOptions.Json();
        var command = new Command("cancel", "Cancel a goal: what runs is told to stop, what waits never starts.") { id, reason, json };
        command.WithExamples("goal cancel ID --reason 'asked for the wrong directory'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.CancelGoalAsync(parsed.GetValue(id), parsed.GetValue(reason), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, goal);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Goal {goal.Id} is {Words.Of(goal.State)}.");
        });
        return command;
    }

    private static Command CreatePause(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var reason = new Option<string?>("--reason") { Description = "Why; shown by `why`.", HelpName = "TEXT" };
        var json = SharedOptions.Json();
        var command = new Command("pause", "Hand out nothing of a goal any more; what runs goes on to its end.") { id, reason, json };
        command.WithExamples("goal pause ID --reason 'until the disk is back'");
        command.SetAction((parsed, cancellationToken) => SteerAsync(
            parsed, surroundings, shared, json, client => client.PauseGoalAsync(parsed.GetValue(id), parsed.GetValue(reason), cancellationToken), "is paused", cancellationToken));
        return command;
    }

    private static Command CreateResume(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var json = SharedOptions.Json();
        var command = new Command("resume", "Hand a paused goal's steps out again.") { id, json };
        command.WithExamples("goal resume ID");
        command.SetAction((parsed, cancellationToken) => SteerAsync(
            parsed, surroundings, shared, json, client => client.ResumeGoalAsync(parsed.GetValue(id), cancellationToken), "goes on", cancellationToken));
        return command;
    }

    private static async Task SteerAsync(
        ParseResult parsed, Surroundings surroundings, SharedOptions shared, Option<bool> json, Func<IAstraClient, Task<GoalView>> steer, string done, CancellationToken cancellationToken)
    {
        await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
        var goal = await steer(session.Client);
        if (parsed.GetValue(json))
            JsonOutput.Write(surroundings.Terminal.Out, goal);
        else
            await surroundings.Terminal.Out.WriteLineAsync($"Goal {goal.Id} {done}.");
    }

    private static Command CreateEvents(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var after = new Option<long>("--after") { Description = "Only events after this sequence number.", HelpName = "SEQ" };
        var follow = new Option<bool>("--follow") { Description = "Go on with new events until the goal ends." };
        var json = SharedOptions.Json();
        json.Description = "Print one JSON document per line, for programs.";
        var command = new Command("events", "Print what happened to a goal.") { id, after, follow, json };
        command.WithExamples("goal events ID", "goal events ID --follow --json", "goal events ID --after 1042");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.GetGoalAsync(parsed.GetValue(id), cancellationToken);
            var until = parsed.GetValue(follow) ? long.MaxValue : goal.LastSeq;
            if (until <= parsed.GetValue(after))
                return;
            await foreach (var happened in session.Client.FollowAsync(goal.Id, parsed.GetValue(after), cancellationToken))
            {
                if (parsed.GetValue(json))
                    JsonOutput.WriteLine(surroundings.Terminal.Out, happened);
                else
                    GoalViews.WriteEvent(surroundings.Terminal.Out, happened);
                if (happened.Seq >= until)
                    break;
            }
        });
        return command;
    }
}

/// <summary>What every list that comes in pages understands.</summary>
public sealed class PageOptions
{
    public Option<int> Limit { get; } = new("--limit") { Description = "How many at most.", HelpName = "COUNT", DefaultValueFactory = _ => 50 };

    public Option<string?> Cursor { get; } = new("--cursor") { Description = "Where the list before this one ended.", HelpName = "CURSOR" };

    public PageOptions() => Limit.Validators.Add(result =>
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var count) && count is < 1 or > 1000)
            result.AddError($"--limit takes a number from 1 to 1000, not {count}");
    });
}
