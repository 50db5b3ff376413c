using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>Edits of a plan as they are typed: as JSON, or as short lines such as `rewire report build:ended`.</summary>
internal static class PlanOps
{
    private const string All = "add, replace, remove, rewire, extend, suspend, prioritise, cancel, cancel_subtree, attach and cancel_group";

    public static Option<string?> Edits() => new("--edits", "--file")
    {
        Description = $"A JSON array of edits (op: {All}); @FILE reads it from a file, @- from standard input.",
        HelpName = "JSON",
    };

    public static Option<string[]> Ops() => new("--op")
    {
        Description = "One edit as a line: cancel STEP, cancel_subtree STEP, cancel_group GROUP, remove STEP, prioritise STEP NUMBER, "
            + "rewire|extend|suspend STEP DEPENDENCY... (STEP, STEP:ended, STEP:passed or STEP:OUTCOME), add|replace|attach JSON. May be given more than once.",
        HelpName = "EDIT",
    };

    public static IReadOnlyList<PlanEdit> Read(string? edits, IReadOnlyList<string> ops, TextReader standardInput)
    {
        if (edits is null && ops.Count == 0)
            throw new CommandException("There is nothing to edit; say what with --op or --edits, as in --op 'cancel report'.");
        return [.. edits is null ? [] : ReadJson(edits, standardInput), .. ops.Select(ReadOp)];
    }

    private static List<PlanEdit> ReadJson(string given, TextReader standardInput)
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
                throw new CommandException($"Edit {edits.Count + 1} is not one of {All} with what these need; correct its `op` and names.", cause: e);
            }
        }

        return edits;
    }

    private static PlanEdit ReadOp(string op)
    {
        var words = op.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words switch
        {
            ["cancel", var step] => new CancelStep(step),
            ["cancel_subtree", var step] => new CancelSubtree(step),
            ["cancel_group", var group] => new CancelGroup(group),
            ["remove", var step] => new RemoveStep(step),
            ["prioritise", var step, var number] when int.TryParse(number, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var priority) => new PrioritiseStep(step, priority),
            ["rewire", var step, .. var after] => new RewireStep(step, [.. after.Select(Dependency)]),
            ["extend", var step, .. { Length: > 0 } after] => new ExtendStep(step, [.. after.Select(Dependency)]),
            ["suspend", var step, .. { Length: > 0 } after] => new SuspendStep(step, [.. after.Select(Dependency)]),
            ["add" or "replace" or "attach", _, ..] => WithJson(words[0], op[(op.IndexOf(words[0], StringComparison.Ordinal) + words[0].Length)..]),
            _ => throw new CommandException($"'{op}' is not an edit; `astra plan edit --help` shows what --op takes. There are {All}."),
        };
    }

    private static PlanEdit WithJson(string op, string json)
    {
        try
        {
            var edit = JsonNode.Parse(json)?.AsObject() ?? throw new JsonException("There is nothing.");
            edit.Insert(0, "op", op);
            return AstraJson.Read<PlanEdit>(JsonSerializer.SerializeToElement(edit, AstraJson.Options));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException or NotSupportedException)
        {
            throw new CommandException($"What follows `{op}` is not a JSON object with what that needs, such as {{\"name\": \"report\", \"executor\": \"tool:hash\"}}.", cause: e);
        }
    }

    private static StepDependency Dependency(string word) => word.LastIndexOf(':') switch
    {
        < 0 => new StepDependency(word, OnlyCompleted: true),
        var at => new StepDependency(word[..at], OnlyCompleted: true, word[(at + 1)..]),
    };
}
