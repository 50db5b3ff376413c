using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Approvals;

/// <summary>
/// What people have to agree to before a task is handed out. It belongs to the task, so no other edge leads around it, and
/// it counts as one more thing that the task waits for. No time that passes agrees.
/// </summary>
/// <param name="VotesNeeded">How many different people; 1 to <see cref="VotesNeededMax"/>.</param>
public sealed record Approval(int VotesNeeded)
{
    public const int VotesNeededMax = 10;

    /// <summary>Who planned, changed or fixed the task last, and has no vote on it; neither has the goal's submitter. What a
    /// task has planned was asked for by <see cref="GraphEdit.ByTask"/> and its name, which is nobody who votes.</summary>
    public string? AskedBy { get; init; }

    /// <summary>In the order in which they were given, at most one of each person for the same action.</summary>
    public IReadOnlyList<Vote> Votes { get; init; } = [];

    /// <summary>Only what was voted on counts: another action has another digest.</summary>
    public IEnumerable<Vote> VotesFor(string digest) => Votes.Where(vote => vote.Digest == digest || Mutants.VoteForAnything);

    public bool IsGranted(string digest) => VotesFor(digest).Count() >= VotesNeeded;

    /// <summary>Whether the task waits for votes.</summary>
    public static bool IsMissing(TaskId task, TaskSpec spec) => spec.Extras.Approval is { } approval && !approval.IsGranted(DigestOf(task, spec));

    /// <summary>Why a task that was denied is cancelled.</summary>
    public static string DenialOf(string by, string? reason) => reason is null ? $"Denied by {by}." : $"Denied by {by}: {reason}";

    /// <summary>The exact action: which task has which executor do what with which input. SHA-256 in hexadecimal.</summary>
    public static string DigestOf(TaskId task, TaskSpec spec)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(task.Value.ToByteArray(bigEndian: true));
        foreach (var text in (ReadOnlySpan<string>)[spec.Executor, spec.Kind])
            Append(hash, Encoding.UTF8.GetBytes(text));
        Append(hash, spec.Input.Span);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}

/// <summary>One person's yes. A no is not kept here: it cancels the task.</summary>
/// <param name="Digest">What it was given for; see <see cref="Approval.DigestOf"/>.</param>
public sealed record Vote(string By, string Digest, DateTimeOffset At, string? Reason);
