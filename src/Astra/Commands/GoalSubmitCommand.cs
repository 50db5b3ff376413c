using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra goal submit`: hands a goal in and does not wait for it; what does is `astra run`.</summary>
public static class GoalSubmitCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var plan = new Argument<string?>("FILE") { Description = "A plan file in YAML.", Arity = ArgumentArity.ZeroOrOne };
        var agent = new Option<string?>("--agent") { Description = "The agent that plans and does it, instead of a plan file.", HelpName = "NAME" };
        var input = new Option<string?>("--input") { Description = "What the goal is about, as JSON; @FILE reads it from a file, @- from standard input.", HelpName = "JSON" };
        var title = new Option<string?>("--title") { Description = "What to call the goal in lists.", HelpName = "TEXT" };
        var after = new Option<Guid[]>("--after") { Description = "A goal that has to complete before this one begins; may be repeated.", HelpName = "GOAL" };
        var afterEnd = new Option<Guid[]>("--after-end") { Description = "A goal that has to end, whichever way, before this one begins; may be repeated.", HelpName = "GOAL" };
        var goOn = new Option<bool>("--go-on") { Description = "Begin even if a goal of --after fails or is cancelled. Without this the goal is cancelled then, with the reason." };
        var parent = new Option<Guid?>("--parent") { Description = "The goal this is a child of: when that is cancelled, so is this.", HelpName = "GOAL" };
        var onCancelledParent = Choices.OptionalOption<CascadePolicy>("--on-cancelled-parent", "What becomes of it when its parent is cancelled: cancel or go-on. Without this it is cancelled too.", "POLICY");
        var key = new Option<string?>("--key") { Description = "The same key and goal again is the same goal.", HelpName = "KEY" };
        var json = SharedOptions.Json();
        var command = new Command("submit", "Submit a goal and return at once.") { plan, agent, input, title, after, afterEnd, goOn, parent, onCancelledParent, key, json };
        command.WithExamples(
            "goal submit plan.yaml", "goal submit --agent greeter --input '{\"name\": \"Ada\"}'",
            "goal submit report.yaml --after ID", "goal submit clean-up.yaml --after-end ID --after-end ID2", "goal submit --agent checker --parent ID --json",
            "goal submit --agent checker --parent ID --on-cancelled-parent go-on");
        command.Validators.Add(result =>
        {
            if (result.GetValue(plan) is null == result.GetValue(agent) is null)
                result.AddError("give either a plan file or --agent NAME");
            else if (result.GetValue(plan) is not null && result.GetValue(input) is not null)
                result.AddError("--input is for an agent; a plan file says itself what its steps get");
            else if (result.GetValue(goOn) && result.GetValue(after) is not { Length: > 0 })
                result.AddError("--go-on says what becomes of a goal when one of --after does not complete; name one with --after GOAL");
            else if (result.GetResult(onCancelledParent) is not null && result.GetValue(parent) is null)
                result.AddError("--on-cancelled-parent says what becomes of a child; name its parent with --parent GOAL");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var submission = parsed.GetValue(plan) is { } file
                ? Read(surroundings, file)
                : new GoalSubmission { Agent = parsed.GetValue(agent), Input = Inputs.Json(parsed.GetValue(input), "--input", surroundings.Terminal.In) };
            GoalAfter[] others = [.. (parsed.GetValue(after) ?? []).Select(goal => new GoalAfter(goal)), .. (parsed.GetValue(afterEnd) ?? []).Select(goal => new GoalAfter(goal, GoalCondition.Ended))];
            submission = submission with
            {
                Title = parsed.GetValue(title) ?? submission.Title,
                After = others.Length > 0 ? others : null,
                OnFailedGoal = parsed.GetValue(goOn) ? CascadePolicy.GoOn : null,
                Parent = parsed.GetValue(parent),
                OnCancelledParent = parsed.GetValue(onCancelledParent),
            };
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var goal = await session.Client.SubmitAsync(submission, parsed.GetValue(key), cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, goal);
                return;
            }
            await surroundings.Terminal.Out.WriteLineAsync($"Goal {goal.Id}: {Tables.Printable(goal.Title)}");
            await surroundings.Terminal.Out.WriteLineAsync($"  {shared.Again(parsed, surroundings, $"goal show {goal.Id}")}");
        });
        return command;
    }

    private static GoalSubmission Read(Surroundings surroundings, string file)
    {
        var path = Inputs.ExistingFile(file);
        var reading = surroundings.ReadPlan(path);
        return reading.Submission ?? throw new CommandException(reading.Problem ?? $"{path} holds no plan.");
    }
}
