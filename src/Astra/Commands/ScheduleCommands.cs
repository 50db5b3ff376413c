using System.CommandLine;
using System.Globalization;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra schedule ...`</summary>
public static class ScheduleCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) => new Command("schedule", "Submit goals again and again: by cron fields, every so often, or once.")
    {
        CreateCreate(surroundings, shared), CreateList(surroundings, shared),
        OnOne(surroundings, shared, "show", "Show a schedule and when it fires next.", (client, id, token) => client.GetScheduleAsync(id, token)),
        OnOne(surroundings, shared, "pause", "Fire no more until it is resumed.", (client, id, token) => client.PauseScheduleAsync(id, token)),
        OnOne(surroundings, shared, "resume", "Fire again, from now on.", (client, id, token) => client.ResumeScheduleAsync(id, token)),
        CreateRun(surroundings, shared), CreateRemove(surroundings, shared),
    }.WithExamples("schedule create nightly --when '0 3 * * *' --time-zone Europe/Berlin --agent auditor", "schedule list", "schedule pause ID");

    private static Command CreateCreate(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("NAME") { Description = "Unique in the tenant." };
        var when = new Option<string>("--when") { Description = "Five cron fields, 'every 5m', or 'at 2031-02-03T04:05:06Z'.", HelpName = "TIMES", Required = true };
        var zone = new Option<string>("--time-zone") { Description = "In which the fields are meant, such as Europe/Berlin.", HelpName = "ZONE", DefaultValueFactory = _ => "UTC" };
        var misfire = Choices.Option("--misfire", "What becomes of times that were missed: skip, once or all.", "POLICY", MisfirePolicy.Once);
        var agent = new Option<string?>("--agent") { Description = "Who plans and executes the goal.", HelpName = "NAME" };
        var input = new Option<string?>("--input") { Description = "The goal's input as JSON, or @FILE.", HelpName = "JSON" };
        var plan = new Option<string?>("--plan") { Description = "A plan file instead of an agent.", HelpName = "FILE" };
        var json = SharedOptions.Json();
        var command = new Command("create", "Make a schedule.") { name, when, zone, misfire, agent, input, plan, json };
        command.WithExamples("schedule create nightly --when '0 3 * * *' --agent auditor --input '{\"directory\":\"/srv\"}'", "schedule create poll --when 'every 5m' --plan poll.yaml");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var goal = GoalOf(surroundings, parsed.GetValue(agent), parsed.GetValue(input), parsed.GetValue(plan));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(parsed, surroundings, json, await session.Client.CreateScheduleAsync(
                new ScheduleRequest { Name = parsed.GetValue(name)!, When = parsed.GetValue(when)!, TimeZone = parsed.GetValue(zone)!, Misfire = parsed.GetValue(misfire), Goal = goal }, cancellationToken));
        });
        return command;
    }

    private static GoalSubmission GoalOf(Surroundings surroundings, string? agent, string? input, string? plan)
    {
        if (agent is null == plan is null)
            throw new CommandException("A schedule submits either the goal of an --agent or a --plan file.", ExitCodes.Usage);
        if (agent is not null)
            return new GoalSubmission { Agent = agent, Input = Inputs.Json(input, "--input", surroundings.Terminal.In) };
        var reading = surroundings.ReadPlan(Inputs.ExistingFile(plan!));
        return reading.Submission ?? throw new CommandException(reading.Problem!);
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List schedules, by name.") { json };
        command.WithExamples("schedule list", "schedule list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var schedules = await session.Client.ListSchedulesAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, schedules);
            else
                Tables.Write(
                    surroundings.Terminal, ["ID", "NAME", "WHEN", "NEXT", "FIRED"],
                    schedules.Select(schedule => (IReadOnlyList<string>)[schedule.Id.ToString(), schedule.Name, $"{schedule.When} {schedule.TimeZone}", NextOf(schedule), schedule.FiredCount.ToString(CultureInfo.InvariantCulture)]),
                    "There are no schedules.");
        });
        return command;
    }

    private static Command CreateRun(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The schedule.");
        var json = SharedOptions.Json();
        var command = new Command("run", "Submit its goal now, beside whatever it does at its times.") { id, json };
        command.WithExamples("schedule run ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.RunScheduleAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, goal);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Goal {goal.Id} was submitted.");
        });
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The schedule.");
        var json = SharedOptions.Json();
        var command = new Command("remove", "Remove a schedule; goals it has submitted go on.") { id, json };
        command.WithExamples("schedule remove ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RemoveScheduleAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { removed = parsed.GetValue(id) });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Schedule {parsed.GetValue(id)} is removed.");
        });
        return command;
    }

    private static Command OnOne(Surroundings surroundings, SharedOptions shared, string verb, string description, Func<IAstraClient, Guid, CancellationToken, Task<ScheduleView>> ask)
    {
        var id = SharedOptions.Id("The schedule.");
        var json = SharedOptions.Json();
        var command = new Command(verb, description) { id, json };
        command.WithExamples($"schedule {verb} ID", $"schedule {verb} ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(parsed, surroundings, json, await ask(session.Client, parsed.GetValue(id), cancellationToken));
        });
        return command;
    }

    private static void Write(ParseResult parsed, Surroundings surroundings, Option<bool> json, ScheduleView schedule)
    {
        if (parsed.GetValue(json))
        {
            JsonOutput.Write(surroundings.Terminal.Out, schedule);
            return;
        }
        Tables.WriteFacts(
            surroundings.Terminal.Out,
            ("Schedule", schedule.Id.ToString()), ("Name", schedule.Name), ("When", $"{schedule.When} ({schedule.TimeZone})"), ("Missed times", schedule.Misfire.ToString().ToLowerInvariant()),
            ("Goal of", schedule.Goal.Agent ?? schedule.Goal.Title ?? "a plan"), ("Next", NextOf(schedule)), ("Last", schedule.LastAt?.ToString("u", CultureInfo.InvariantCulture)),
            ("Last goal", schedule.LastGoalId?.ToString()), ("Problem", schedule.LastProblem), ("Fired", $"{schedule.FiredCount}, {schedule.MissedCount} missed"));
    }

    private static string NextOf(ScheduleView schedule) =>
        schedule.PausedBy is { } by ? $"paused by {by}" : schedule.NextAt?.ToString("u", CultureInfo.InvariantCulture) ?? "never";
}
