using System.Text;
using System.Text.Json;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Testing.Contracts;

/// <summary>Rows and entries with every field filled in, each id new and larger than the one before.</summary>
public static class Sample
{
    private static long _idCount;

    public static readonly DateTimeOffset At = new(2026, 3, 4, 5, 6, 7, 89, TimeSpan.Zero);

    public static TenantId Tenant() => new(Guid.NewGuid());
    public static GoalId GoalId(int shard) => new(Id(shard));
    public static TaskId TaskId(int shard) => new(Id(shard));

    /// <summary>For comparing values that hold lists and memory, which have no equality of their own.</summary>
    public static string Text<T>(T value) => JsonSerializer.Serialize(value);

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static JournalEntry Entry(
        TenantId tenant, GoalId goal, long seq, TaskState? from = null, TaskCommand? command = null, TaskState? to = null) => new()
        {
            Shard = goal.Shard,
            Seq = seq,
            At = At.AddSeconds(seq),
            Tenant = tenant,
            Goal = goal,
            Task = command is null ? null : TaskId(goal.Shard.Value),
            Kind = EventKind.GoalCancelled,
            From = from,
            Command = command,
            To = to,
            Attempt = command is null ? 0 : 3,
            KeyId = 0,
            CodecVersion = EventCodec.Version,
            Data = EventCodec.Encode(new KernelEvent.GoalCancelled($"because of {seq}")),
        };

    /// <summary>Entries <paramref name="firstSeq"/>, … of one goal.</summary>
    public static JournalEntry[] Entries(TenantId tenant, GoalId goal, long firstSeq, int count) =>
        [.. Enumerable.Range(0, count).Select(i => Entry(tenant, goal, firstSeq + i))];

    public static GoalRow Goal(TenantId tenant, GoalId id) => new()
    {
        Tenant = tenant,
        Id = id,
        Agent = "auditor",
        Title = "Audit “everything” 🛰",
        Input = Bytes("""{"directory":"/srv"}"""),
        Priority = -7,
        DeadTaskPolicy = DeadTaskPolicy.Wait,
        State = GoalState.Active,
        Revision = 12,
        LastSeq = 345,
        CreatedAt = At,
        SubmittedBy = "ada",
        RequestDigest = ulong.MaxValue - 3,
        Counts = new TaskCounts(1, 2, 3, 4, 5, 6),
        Extras = new GoalExtras { Parent = new GoalId(TaskId(3).Value), After = [new GoalDependency(new GoalId(TaskId(4).Value), GoalCondition.Ended, GoalState.Failed)], Depth = 1 },
    };

    public static GoalRow Finished(GoalRow goal) => goal with
    {
        State = GoalState.Failed,
        EndedAt = At.AddMinutes(3),
        Result = Bytes("nothing"),
        Reason = "two tasks died",
    };

    public static TaskRow Task(GoalRow goal, string name = "unpack") => new()
    {
        Tenant = goal.Tenant,
        Goal = goal.Id,
        Id = TaskId(goal.Id.Shard.Value),
        Spec = new TaskSpec
        {
            Name = name,
            Executor = "tool:unpack@1",
            Kind = "tool",
            Input = Bytes("input"),
            Priority = 9,
            AttemptCountMax = 5,
            LeaseDuration = TimeSpan.FromSeconds(42.5),
            Extras = new TaskExtras { NotBefore = At.AddHours(1), Deadline = At.AddHours(2) },
        },
        After = [new Dependency(TaskId(1), DependencyKind.Completed), new Dependency(TaskId(2), DependencyKind.Ended)],
        State = TaskState.Running,
        Attempt = 4,
        FailureCount = 2,
        ExpiryCount = 1,
        CreatedAt = At,
        DueAt = At.AddSeconds(1),
        StartedAt = At.AddSeconds(2),
        Worker = new WorkerId(Guid.NewGuid()),
        WorkerName = "builder-3",
    };

    public static TaskRow Dead(TaskRow task) => task with
    {
        State = TaskState.Dead,
        EndedAt = At.AddMinutes(1),
        Failure = new Failure(FailureKind.Permanent, "The archive is damaged.", "damaged-archive"),
        Reason = "given up",
        Output = Bytes("partial"),
    };

    private static Guid Id(int shard) => new IdSource(new TickingClock(), new Counter()).NewId(new ShardId(shard));

    private sealed class TickingClock : IClock
    {
        public TimeSpan Elapsed => TimeSpan.Zero;

        /// <summary>A millisecond later for every id, so that ids are in the order in which they were made.</summary>
        public DateTimeOffset UtcNow { get; } = At.AddMilliseconds(Interlocked.Increment(ref _idCount));
    }

    private sealed class Counter : IRandomness
    {
        public ulong NextUInt64() => (ulong)_idCount << 8;
    }
}
