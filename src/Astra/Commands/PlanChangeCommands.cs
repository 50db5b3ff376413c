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
                Write(surroundings.Terminal.Out, diff);
        });
        return command;
    }

    private static Command CreateApply(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var file = new Argument<string>("file") { Description = "A plan file: its steps are what the plan should have." };
        var (ifMatch, reason, dryRun, json) = Options();
        var command = new Command("apply", "Change a running plan into that of a file, in one commit. What has started stays, or the change is refused.") { id, file, ifMatch, reason, dryRun, json };
        command.WithExamples("plan apply ID build.yaml --dry-run", "plan apply ID build.yaml --if-match 7");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            GoalSubmission wanted;
            try
            {
                wanted = PlanFile.Parse(await File.ReadAllTextAsync(Inputs.ExistingFile(parsed.GetValue(file)!), cancellationToken));
            }
            catch (PlanFileException e)
            {
                throw new CommandException($"{parsed.GetValue(file)}: {e.Message}", cause: e);
            }
            var target = new PlanTarget([.. (wanted.Plan ?? []).OfType<AddStep>()], parsed.GetValue(reason));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var change = await session.Client.ApplyPlanAsync(parsed.GetValue(id), target, parsed.GetValue(ifMatch), parsed.GetValue(dryRun), cancellationToken);
            Write(surroundings.Terminal.Out, change, parsed.GetValue(dryRun), parsed.GetValue(json));
        });
        return command;
    }

    private static Command CreateValidate(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var (edits, ops) = (PlanOps.Edits(), PlanOps.Ops());
        var (ifMatch, _, _, json) = Options();
        var command = new Command("validate", "Say whether an edit would be taken, and why not; change nothing.") { id, edits, ops, ifMatch, json };
        command.WithExamples("plan validate ID --op 'rewire report build'", "plan validate ID --edits @edits.json --if-match 7");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var patch = new PlanPatch(PlanOps.Read(parsed.GetValue(edits), parsed.GetValue(ops) ?? [], surroundings.Terminal.In));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var change = await session.Client.ValidatePlanAsync(parsed.GetValue(id), patch, parsed.GetValue(ifMatch), cancellationToken);
            Write(surroundings.Terminal.Out, change, isDryRun: true, parsed.GetValue(json));
        });
        return command;
    }

    private static Command CreateRollback(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var revision = new Argument<long>("revision") { Description = "What the plan should be again." };
        var (ifMatch, reason, dryRun, json) = Options();
        var command = new Command("rollback", "Take edits back, as far as what they changed has not started. This is an edit too: the revision goes up.") { id, revision, ifMatch, reason, dryRun, json };
        command.WithExamples("plan rollback ID 3 --dry-run", "plan rollback ID 3 --reason 'the second try was worse'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var rollback = new PlanRollback(parsed.GetValue(revision), parsed.GetValue(reason));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var change = await session.Client.RollbackPlanAsync(parsed.GetValue(id), rollback, parsed.GetValue(ifMatch), parsed.GetValue(dryRun), cancellationToken);
            Write(surroundings.Terminal.Out, change, parsed.GetValue(dryRun), parsed.GetValue(json));
        });
        return command;
    }

    private static (Option<long?> IfMatch, Option<string?> Reason, Option<bool> DryRun, Option<bool> Json) Options() => (
        new("--if-match") { Description = "Only if the plan still has this revision.", HelpName = "REVISION" },
        new("--reason") { Description = "Why; kept with the edit.", HelpName = "TEXT" },
        new("--dry-run") { Description = "Say what would be done, and do not do it." },
        SharedOptions.Json());

    private static void Write(TextWriter @out, PlanChange change, bool isDryRun, bool json)
    {
        if (json)
        {
            JsonOutput.Write(@out, change);
            return;
        }
        if (change.Edits.Count == 0)
        {
            @out.WriteLine($"Nothing to change; the plan is at revision {change.Revision}.");
            return;
        }
        foreach (var edit in change.Edits)
            @out.WriteLine($"  {Describe(edit)}");
        @out.WriteLine(isDryRun ? $"These {change.Edits.Count} edits would make revision {change.Revision}; nothing was changed." : $"Revision {change.Revision}, by {change.Edits.Count} edits.");
    }

    private static void Write(TextWriter @out, PlanDiff diff)
    {
        foreach (var added in diff.Added)
            @out.WriteLine($"+ {added.Name}  {added.Executor}{After(added.After)}");
        foreach (var removed in diff.Removed)
            @out.WriteLine($"- {removed.Name}  {removed.Executor}{After(removed.After)}");
        foreach (var changed in diff.Changed)
            foreach (var field in changed.Fields)
                @out.WriteLine($"~ {changed.Name}  {field.Field}: {field.From?.GetRawText() ?? "nothing"} -> {field.To?.GetRawText() ?? "nothing"}");
        @out.WriteLine($"Revision {diff.From} to {diff.To}: {diff.Added.Count} added, {diff.Removed.Count} removed, {diff.Changed.Count} changed.");
    }

    private static string Describe(PlanEdit edit) => edit switch
    {
        AddStep add => $"add {add.Name}  {add.Executor}{After(add.After)}",
        ReplaceStep replace => $"replace {replace.Name}  {replace.Executor}",
        RemoveStep remove => $"remove {remove.Name}",
        RewireStep rewire => $"rewire {rewire.Name}{After(rewire.After)}",
        ExtendStep extend => $"extend {extend.Name}{After(extend.After)}",
        SuspendStep suspend => $"suspend {suspend.Name}{After(suspend.After)}",
        PrioritiseStep prioritise => $"prioritise {prioritise.Name} {prioritise.Priority}",
        CancelStep cancel => $"cancel {cancel.Name}",
        CancelSubtree cancel => $"cancel_subtree {cancel.Name}",
        AttachGroup attach => $"attach {attach.Group} ({attach.Steps.Count} steps)",
        CancelGroup cancel => $"cancel_group {cancel.Group}",
        _ => edit.ToString(),
    };

    private static string After(IReadOnlyList<StepDependency> after) =>
        after.Count == 0 ? "" : $"  after {string.Join(", ", after.Select(dependency => dependency.When is { } when ? $"{dependency.Step} ({when})" : dependency.OnlyCompleted ? dependency.Step : $"{dependency.Step} (ended)"))}";
}
