using Astra.Agents;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>
/// `astra plan edit ID` with nothing else: the plan as a file in the editor of whoever types, and what they changed as one
/// edit. Whatever is refused, the file stays with what they wrote, and it is said where it is and which line is meant.
/// </summary>
internal sealed class PlanInEditor
{
    private const string FileName = "plan.yaml";

    private readonly Surroundings _surroundings;
    private readonly string _editor;

    public PlanInEditor(Surroundings surroundings) => (_surroundings, _editor) = (surroundings, EditorOf(surroundings) ?? throw new CommandException(
        "There is nothing to edit; say what with --op or --edits, as in --op 'cancel report', or set EDITOR to edit the plan as a file.", ExitCodes.Usage));

    /// <returns>Null when nothing was changed.</returns>
    public async Task<PlanChange?> EditAsync(IAstraClient client, Guid goal, long? ifRevision, string? reason, CancellationToken cancellationToken)
    {
        var plan = await client.GetPlanStepsAsync(goal, cancellationToken);
        if (ifRevision is { } expected && expected != plan.Revision)
            throw new CommandException($"The plan is at revision {plan.Revision}, not {expected}; look at it again.");
        var edit = ToFile(plan);
        var directory = Directory.CreateTempSubdirectory("astra-plan-").FullName;
        var path = Path.Combine(directory, FileName);
        await File.WriteAllTextAsync(path, Explanation(plan) + edit.Text, cancellationToken);
        var before = await File.ReadAllTextAsync(path, cancellationToken);

        var exitCode = await _surroundings.RunEditor(_editor, path);
        if (exitCode != 0)
            throw Kept(path, $"The editor ended with {exitCode}, so nothing was changed.", goal, plan.Revision);
        string after;
        try
        {
            after = await File.ReadAllTextAsync(path, CancellationToken.None);
        }
        catch (FileNotFoundException e)
        {
            throw new CommandException($"The editor left no file {path}, so nothing was changed.", cause: e);
        }
        if (after == before)
        {
            Directory.Delete(directory, recursive: true);
            return null;
        }
        var change = await ApplyAsync(client, goal, plan.Revision, path, after, edit, reason);
        Directory.Delete(directory, recursive: true);
        return change;
    }

    private async Task<PlanChange> ApplyAsync(IAstraClient client, Guid goal, long revision, string path, string text, PlanFileEdit edit, string? reason)
    {
        try
        {
            // An interruption before this was meant for the editor; one from here on ends the program.
            return await client.ApplyPlanAsync(goal, new PlanTarget(edit.Read(text), reason), revision, cancellationToken: CancellationToken.None);
        }
        catch (PlanFileException e)
        {
            throw Kept(path, $"{path}: {e.Message}", goal, revision, e);
        }
        catch (AstraException e) when (e.Status == 412)
        {
            throw new CommandException($"Somebody has edited the plan meanwhile, so nothing was changed. What you wrote is in {path}; `{_surroundings.InvokedAs} plan diff {goal} --from {revision}` shows what they did.", cause: e);
        }
        catch (AstraException e)
        {
            var where = PlanFileEdit.LineOf(text, e.Message) is { } line ? $"{path}: Line {line}: " : "";
            throw Kept(path, where + e.Message, goal, revision, e);
        }
    }

    private CommandException Kept(string path, string sentence, Guid goal, long revision, Exception? cause = null) => new(
        $"{sentence} Nothing was changed, and what you wrote is in {path}; correct it there and type `{_surroundings.InvokedAs} plan apply {goal} {path} --if-match {revision}`.", cause: cause);

    private static PlanFileEdit ToFile(PlanSteps plan)
    {
        try
        {
            return new PlanFileEdit(plan.Steps);
        }
        catch (PlanFileException e)
        {
            throw new CommandException(
                plan.Steps.Count == 0 ? "The plan has no steps of its own yet; add some with --op 'add {...}'." : "This plan cannot be said as a file; edit it with --op or --edits.", cause: e);
        }
    }

    private static string Explanation(PlanSteps plan) => $"""
        # The plan of goal {plan.GoalId} at revision {plan.Revision}.
        # What you save is what the plan becomes, in one commit. Save it as it is to change nothing.
        # {(plan.Started.Count == 0 ? "Nothing has started yet." : $"Started, so they stay as they are: {string.Join(", ", plan.Started.Select(OnOneLine))}.")}
        # Steps of groups, and the goal's own plan and reflection, are not listed and stay.

        """.ReplaceLineEndings("\n");

    private static string OnOneLine(string name) => Display.Tables.Printable(name);

    private static string? EditorOf(Surroundings surroundings) => ((string[])["VISUAL", "EDITOR"]).Select(surroundings.Environment).FirstOrDefault(set => !string.IsNullOrWhiteSpace(set));
}
