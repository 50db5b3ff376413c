using System.Buffers;
using System.Text;
using Astra.Kernel.Tasks;

namespace Astra.Postgres.Projection;

/// <summary>
/// PostgreSQL's text holds neither U+0000 nor half a surrogate pair. The second is refused by the driver in the middle
/// of a message, which costs the connection, so both are looked for before anything is sent.
/// </summary>
internal static class StorableText
{
    /// <summary>Named like the constraints of the tables, because it reaches people in the same place.</summary>
    public const string Refusal = "text_is_text: a name, title or reason holds a character that is not text";

    public static bool IsStorable(GoalRow goal) =>
        IsStorable(goal.Agent) && IsStorable(goal.Title) && IsStorable(goal.Reason) && IsStorable(goal.IdempotencyKey) && IsStorable(goal.SubmittedBy);

    public static bool IsStorable(TaskRow task) =>
        IsStorable(task.Spec.Name) && IsStorable(task.Spec.Executor) && IsStorable(task.Spec.Kind) && IsStorable(task.WorkerName)
        && IsStorable(task.Reason) && IsStorable(task.Failure?.Reason) && IsStorable(task.Failure?.Fingerprint);

    public static bool IsStorable(string? text)
    {
        if (text is null)
            return true;
        if (text.Contains('\0', StringComparison.Ordinal))
            return false;

        // Almost no text has surrogates at all, and the search for them is vectorised.
        var rest = text.AsSpan();
        for (var next = rest.IndexOfAnyInRange('\ud800', '\udfff'); next >= 0; next = rest.IndexOfAnyInRange('\ud800', '\udfff'))
        {
            rest = rest[next..];
            if (Rune.DecodeFromUtf16(rest, out _, out var consumed) != OperationStatus.Done)
                return false;
            rest = rest[consumed..];
        }
        return true;
    }
}
