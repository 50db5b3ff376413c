using System.CommandLine;
using Astra.Agents;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra plan diff|apply|validate|rollback`: plans as they were, and changes that are looked at before they are made.</summary>
internal static class PlanChangeCommands
{
    public static void AddTo(Command plan, Surroundings surroundings, SharedOptions shared)
    {
        plan.Add(CreateDiff(surroundings, shared));
        plan.Add(CreateApply(surroundings, shared));
        plan.Add(CreateValidate(surroundings, shared));
        plan.Add(CreateRollback(surroundings, shared));
    }

    private static Command CreateDiff(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var from = new Option<long?>("--from") { Description = "The earlier revision; by default the one before the later.", HelpName = "REVISION" };
        var to = new Option<long?>("--to") { Description = "The later revision; by default the present one.", HelpName = "REVISION" };
        var json = SharedOptions.Json();
        var command = new Command("diff", "Show what has changed between two revisions of a plan.") { id, from, to, json };
        command.WithExamples("plan diff ID", "plan diff ID --from 1", "plan diff ID --from 2 --to 5 --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var diff = await session.Client.DiffPlanAsync(parsed.GetValue(id), parsed.GetValue(from), parsed.GetValue(to), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, diff);
            else
                PlanChangeViews.Write(surroundings.Terminal.Out, diff);
        });
        return command;
    }

    private static Command CreateApply(Surroundings surroundings, SharedOptions shared)
    {
        var file = new Argument<string>("file") { Description = "A plan file: its steps are what the plan should have." };
        return CreateChange(
            surroundings, shared, "apply", "Change a running plan into that of a file, in one commit. What has started stays, or the change is refused.", file,
            (parsed, cancellationToken) => ReadStepsAsync(parsed.GetValue(file)!, cancellationToken),
            (client, steps, asked, cancellationToken) =>
                client.ApplyPlanAsync(asked.Goal, new PlanTarget(steps, asked.Reason), asked.IfMatch, asked.IsDryRun, cancellationToken))
            .WithExamples("plan apply ID build.yaml --dry-run", "plan apply ID build.yaml --if-match 7");
    }

    private static async Task<IReadOnlyList<AddStep>> ReadStepsAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return [.. (PlanFile.Parse(await File.ReadAllTextAsync(Inputs.ExistingFile(file), cancellationToken)).Plan ?? []).OfType<AddStep>()];
        }
        catch (PlanFileException e)
        {
            throw new CommandException($"{file}: {e.Message}", cause: e);
        }
    }

    private static Command CreateValidate(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var (edits, ops) = (PlanOps.Edits(), PlanOps.Ops());
        var (ifMatch, json) = (IfMatch(), SharedOptions.Json());
        var command = new Command("validate", "Say whether an edit would be taken, and why not; change nothing.") { id, edits, ops, ifMatch, json };
        command.WithExamples("plan validate ID --op 'rewire report build'", "plan validate ID --edits @edits.json --if-match 7");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var patch = new PlanPatch(PlanOps.Read(parsed.GetValue(edits), parsed.GetValue(ops) ?? [], surroundings.Terminal.In));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var change = await session.Client.ValidatePlanAsync(parsed.GetValue(id), patch, parsed.GetValue(ifMatch), cancellationToken);
            PlanChangeViews.Write(surroundings.Terminal.Out, change, isDryRun: true, parsed.GetValue(json));
        });
        return command;
    }

    private static Command CreateRollback(Surroundings surroundings, SharedOptions shared)
    {
        var revision = new Argument<long>("revision") { Description = "What the plan should be again." };
        return CreateChange(
            surroundings, shared, "rollback", "Take edits back, as far as what they changed has not started. This is an edit too: the revision goes up.", revision,
            (parsed, _) => Task.FromResult(parsed.GetValue(revision)),
            (client, back, asked, cancellationToken) =>
                client.RollbackPlanAsync(asked.Goal, new PlanRollback(back, asked.Reason), asked.IfMatch, asked.IsDryRun, cancellationToken))
            .WithExamples("plan rollback ID 3 --dry-run", "plan rollback ID 3 --reason 'the second try was worse'");
    }

    /// <summary>A change that follows from what the plan should be: looked at first with --dry-run, or made.</summary>
    /// <param name="readAsync">What it should be; wrong input is refused before any server is asked or started.</param>
    private static Command CreateChange<TTarget>(
        Surroundings surroundings, SharedOptions shared, string name, string description, Argument towards,
        Func<ParseResult, CancellationToken, Task<TTarget>> readAsync, Func<IAstraClient, TTarget, ChangeAsked, CancellationToken, Task<PlanChange>> changeAsync)
    {
        var id = SharedOptions.Id("The goal.");
        var (ifMatch, json) = (IfMatch(), SharedOptions.Json());
        var reason = new Option<string?>("--reason") { Description = "Why; kept with the edit.", HelpName = "TEXT" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would be done, and do not do it." };
        var command = new Command(name, description) { id, towards, ifMatch, reason, dryRun, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var asked = new ChangeAsked(parsed.GetValue(id), parsed.GetValue(ifMatch), parsed.GetValue(reason), parsed.GetValue(dryRun));
            var target = await readAsync(parsed, cancellationToken);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            PlanChangeViews.Write(surroundings.Terminal.Out, await changeAsync(session.Client, target, asked, cancellationToken), asked.IsDryRun, parsed.GetValue(json));
        });
        return command;
    }

    private static Option<long?> IfMatch() => new("--if-match") { Description = "Only if the plan still has this revision.", HelpName = "REVISION" };

    private sealed record ChangeAsked(Guid Goal, long? IfMatch, string? Reason, bool IsDryRun);
}
