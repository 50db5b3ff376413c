using Astra.Kernel.Tasks;

namespace Astra.Kernel.Journal;

/// <summary>One row of the log: a header that can be queried and checked, and the event in the kernel's binary form.</summary>
public sealed record JournalEntry
{
    public required ShardId Shard { get; init; }

    /// <summary>1, 2, 3 … within the shard, without a gap.</summary>
    public required long Seq { get; init; }

    public required DateTimeOffset At { get; init; }
    public required TenantId Tenant { get; init; }
    public required GoalId Goal { get; init; }
    public TaskId? Task { get; init; }
    public required EventKind Kind { get; init; }

    /// <summary>The move of the task, when the event is one: a row of the transition table, checked again by the database.
    /// A task that is added has a <see cref="To"/> only.</summary>
    public TaskState? From { get; init; }

    public TaskCommand? Command { get; init; }
    public TaskState? To { get; init; }

    /// <summary>The attempt the event belongs to; 0 before the first.</summary>
    public int Attempt { get; init; }

    /// <summary>Which key the payload is encrypted with; 0 is none. Shredding the key erases the payload.</summary>
    public int KeyId { get; init; }

    /// <summary>Which form <see cref="Data"/> is in; see EventCodec.</summary>
    public required short CodecVersion { get; init; }

    public required ReadOnlyMemory<byte> Data { get; init; }

    public KernelEvent Event => EventCodec.Decode(Kind, CodecVersion, Data.Span);
}
