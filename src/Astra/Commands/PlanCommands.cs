using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra plan ...`</summary>
public static class PlanCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("plan", "See and edit the plan of a goal, while it runs too.")
        {
            CreateShow(surroundings, shared), CreateEdit(surroundings, shared),
        };
        PlanChangeCommands.AddTo(command, surroundings, shared);
        return command.WithExamples("plan show ID", "plan edit ID --op 'cancel slow' --if-match 7", "plan apply ID build.yaml --dry-run", "plan rollback ID 3");
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var revision = new Option<long?>("--revision") { Description = "As it was at this revision.", HelpName = "REVISION" };
        var json = SharedOptions.Json();
        var command = new Command("show", "Show every step of a goal's plan and the plan's revision.") { id, revision, json };
        command.WithExamples("plan show ID", "plan show ID --revision 3", "plan show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var plan = parsed.GetValue(revision) is { } at
                ? await session.Client.GetPlanAtAsync(parsed.GetValue(id), at, cancellationToken)
                : await session.Client.GetPlanAsync(parsed.GetValue(id), cancellationToken);
            Write(surroundings.Terminal, plan, parsed.GetValue(json));
        });
        return command;
    }

    private static Command CreateEdit(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var edits = PlanOps.Edits();
        var ops = PlanOps.Ops();
        var ifMatch = new Option<long?>("--if-match") { Description = "Only if the plan still has this revision.", HelpName = "REVISION" };
        var reason = new Option<string?>("--reason") { Description = "Why; kept with the edit.", HelpName = "TEXT" };
        var json = SharedOptions.Json();
        var command = new Command("edit", "Edit a plan: all edits take effect in one commit, or none does. Without an edit: as a file, in the editor that VISUAL or EDITOR names.") { id, edits, ops, ifMatch, reason, json };
        command.WithExamples(
            "plan edit ID",
            "plan edit ID --op 'cancel slow' --op 'prioritise report 10'",
            "plan edit ID --op 'suspend build fetch' --op 'cancel_group trial'",
            "plan edit ID --edits '[{\"op\": \"prioritise\", \"name\": \"report\", \"priority\": 10}]'",
            "plan edit ID --edits @edits.json --if-match 7 --reason 'skip the slow one'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(edits) is null && parsed.GetValue(ops) is not { Length: > 0 })
            {
                var editor = new PlanInEditor(surroundings);
                await using var opened = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
                var change = await editor.EditAsync(opened.Client, parsed.GetValue(id), parsed.GetValue(ifMatch), parsed.GetValue(reason), cancellationToken);
                PlanChangeViews.WriteEdited(surroundings.Terminal.Out, parsed.GetValue(id), change, parsed.GetValue(json));
                return;
            }
            var patch = new PlanPatch(PlanOps.Read(parsed.GetValue(edits), parsed.GetValue(ops) ?? [], surroundings.Terminal.In), parsed.GetValue(reason));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var plan = await session.Client.EditPlanAsync(parsed.GetValue(id), patch, parsed.GetValue(ifMatch), cancellationToken);
            Write(surroundings.Terminal, plan, parsed.GetValue(json));
        });
        return command;
    }

    private static void Write(Terminal terminal, PlanView plan, bool json)
    {
        if (json)
        {
            JsonOutput.Write(terminal.Out, plan);
            return;
        }

        terminal.Out.WriteLine($"Revision {plan.Revision}, {plan.Tasks.Count} steps.");
        GoalViews.WritePlan(terminal, plan);
    }
}
