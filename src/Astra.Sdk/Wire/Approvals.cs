using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <param name="Needed">How many different people have to agree.</param>
/// <param name="Given">How many have agreed to what the step is now.</param>
/// <param name="Digest">What the step is now; SHA-256 of its id, executor, kind and input, in hexadecimal. A vote names it.</param>
/// <param name="AskedBy">Who planned or changed the step last, beside whoever submitted the goal. Neither has a vote.</param>
public sealed record ApprovalView(int Needed, int Given, string Digest, string? AskedBy, IReadOnlyList<VoteView> Votes);

/// <summary>Somebody's yes.</summary>
/// <param name="Counts">False when the step has been changed since.</param>
public sealed record VoteView(string By, DateTimeOffset At, string? Reason, bool Counts);

/// <summary>A task that waits for `POST /api/v1/approvals/{id}/votes`.</summary>
public sealed record ApprovalRequestView(TaskView Task, string GoalTitle, string? Agent);

public enum VoteKind
{
    Approve,

    /// <summary>Cancels the task: one no is enough.</summary>
    Deny,
}

/// <summary>The body of a vote.</summary>
/// <param name="Digest">Of the step as it was looked at; the vote is refused with 409 when it has been changed since.</param>
/// <param name="Reason">Shown to whoever reads what became of it.</param>
public sealed record ApprovalVote([property: JsonRequired] VoteKind Vote, [property: JsonRequired] string Digest, string? Reason = null);
