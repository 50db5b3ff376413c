using System.CommandLine;
using System.Text.Json;
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
        return command.WithExamples("plan show ID", "plan edit ID --edits @edits.json --if-match 7");
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var json = SharedOptions.Json();
        var command = new Command("show", "Show every step of a goal's plan and the plan's revision.") { id, json };
        command.WithExamples("plan show ID", "plan show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(surroundings.Terminal, await session.Client.GetPlanAsync(parsed.GetValue(id), cancellationToken), parsed.GetValue(json));
        });
        return command;
    }

    private static Command CreateEdit(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The goal.");
        var edits = new Option<string>("--edits")
        {
            Description = "A JSON array of edits (op: add, remove, rewire, prioritise, cancel); @FILE reads it from a file, @- from standard input.",
            HelpName = "JSON",
            Required = true,
        };
        var ifMatch = new Option<long?>("--if-match") { Description = "Only if the plan still has this revision.", HelpName = "REVISION" };
        var reason = new Option<string?>("--reason") { Description = "Why; kept with the edit.", HelpName = "TEXT" };
        var json = SharedOptions.Json();
        var command = new Command("edit", "Edit a plan: all edits take effect in one commit, or none does.") { id, edits, ifMatch, reason, json };
        command.WithExamples(
            "plan edit ID --edits '[{\"op\": \"prioritise\", \"name\": \"report\", \"priority\": 10}]'",
            "plan edit ID --edits @edits.json --if-match 7 --reason 'skip the slow one'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var patch = new PlanPatch(Read(parsed.GetValue(edits)!, surroundings.Terminal.In), parsed.GetValue(reason));
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

    private static List<PlanEdit> Read(string given, TextReader standardInput)
    {
        var element = Inputs.Json(given, "--edits", standardInput)!.Value;
        if (element.ValueKind is not JsonValueKind.Array)
            throw new CommandException("--edits takes a JSON array, such as [{\"op\": \"cancel\", \"name\": \"report\"}].");
        var edits = new List<PlanEdit>();
        foreach (var item in element.EnumerateArray())
        {
            try
            {
                edits.Add(AstraJson.Read<PlanEdit>(item));
            }
            catch (Exception e) when (e is JsonException or NotSupportedException)
            {
                throw new CommandException(
                    $"Edit {edits.Count + 1} is not one of add, remove, rewire, prioritise and cancel with what these need; correct its `op` and names.", cause: e);
            }
        }

        return edits;
    }
}
