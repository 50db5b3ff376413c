using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Astra.Sdk;

namespace Astra.Display;

/// <summary>What people are asked to agree to. Whoever votes has seen all of it: nothing here is shortened, and what a
/// terminal would hide is written out.</summary>
public static class ApprovalViews
{
    // 48 bits name one step among all that anybody will ever look at, and still fit beside an id.
    private const int DigestLengthShown = 12;

    // Letters stay letters; what is not to be seen is escaped by Visible.
    private static readonly JsonSerializerOptions Readable = new(AstraJson.Options) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a vote would still be taken.</summary>
    public static bool Waits(TaskView task, ApprovalView approval) => task.State is TaskState.Pending && approval.Given < approval.Needed;

    public static string Count(ApprovalView approval) => $"{approval.Given} of {approval.Needed}";

    public static void WriteList(Terminal terminal, Page<ApprovalRequestView> page)
    {
        Tables.Write(
            terminal,
            ["ID", "Step", "Goal", "Executor", "Votes", "Since"],
            page.Items.Select(asked => (IReadOnlyList<string>)
            [
                asked.Task.Id.ToString(), asked.Task.Name, asked.GoalTitle, asked.Task.Executor, asked.Task.Approval is { } approval ? Count(approval) : "",
                Words.At(asked.Task.CreatedAt),
            ]),
            "Nobody is asked for approval.");
        if (page.Next is { } next)
            terminal.Out.WriteLine($"There are more: --cursor {next}");
    }

    public static void WriteAsked(Terminal terminal, TaskView task, ApprovalView approval, GoalView goal)
    {
        var input = task.Input is { ValueKind: not JsonValueKind.Null } given ? given : (JsonElement?)null;
        Tables.WriteFacts(
            terminal.Out,
            ("Task", task.Id.ToString()),
            ("Goal", $"{task.GoalId}: {Visible(goal.Title)}"),
            ("Step", Visible(task.Name)),
            ("Executor", Visible(task.Executor)),
            ("Kind", Visible(task.Kind)),
            ("State", Words.Of(task.State)),
            ("Reason", task.Reason),
            ("Asked by", approval.AskedBy is { } by ? $"{by}, and whoever submitted the goal" : "whoever submitted the goal"),
            ("Votes", Count(approval)),
            ("Input", input is null ? "none" : null));
        if (input is not null)
        {
            terminal.Out.WriteLine("Input");
            terminal.Out.WriteLine(Visible(JsonSerializer.Serialize(input, Readable)));
        }

        terminal.Out.WriteLine();
        Tables.Write(
            terminal,
            ["By", "At", "Reason", "Counts"],
            approval.Votes.Select(vote => (IReadOnlyList<string>)[vote.By, Words.At(vote.At), vote.Reason ?? "", vote.Counts ? "yes" : "no, the step has been changed since"]),
            "Nobody has agreed yet.");
        terminal.Out.WriteLine($"Digest  {approval.Digest}");
    }

    /// <param name="again">Makes a verb a command line that reaches the same server.</param>
    public static void WriteWaysToVote(TextWriter output, TaskView task, ApprovalView approval, Func<string, string> again)
    {
        output.WriteLine();
        output.WriteLine("To vote on exactly this:");
        foreach (var verb in (string[])["approve", "deny"])
            output.WriteLine($"  {again($"approvals {verb} {task.Id} --digest {approval.Digest[..DigestLengthShown]}")}");
    }

    /// <remarks>A character that turns the writing direction round, or takes no room, would have people agree to something
    /// else than they read. Escaped as JSON does it, so that the input stays what it is.</remarks>
    private static string Visible(string text) => string.Concat(text.EnumerateRunes().Select(rune =>
        rune.Value != '\n' && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
            ? string.Concat(rune.ToString().Select(c => $"\\u{(int)c:x4}"))
            : rune.ToString()));
}
