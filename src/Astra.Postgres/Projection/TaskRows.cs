using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Projection;

/// <summary>A task as columns, both ways.</summary>
internal static class TaskRows
{
    public const string Columns = """
        t.tenant, t.goal, t.id, t.name, t.executor, t.kind, t.input, t.priority, t.attempt_count_max, t.lease_duration, t.after_tasks, t.after_kinds,
        t.state, t.attempt, t.failure_count, t.expiry_count, t.created_at, t.due_at, t.started_at, t.ended_at, t.worker, t.worker_name,
        t.output, t.failure_kind, t.failure_reason, t.failure_fingerprint, t.reason, t.worker_process, t.doomed_by, t.extras
        """;

    public const int ColumnCount = 30;

    public static TaskRow Read(NpgsqlDataReader reader) => WithOutcomes(new TaskRow
    {
        Tenant = new TenantId(reader.GetGuid(0)),
        Goal = new GoalId(reader.GetGuid(1)),
        Id = new TaskId(reader.GetGuid(2)),
        Spec = new TaskSpec
        {
            Name = reader.GetString(3),
            Executor = reader.GetString(4),
            Kind = reader.GetString(5),
            Input = reader.GetFieldValue<byte[]>(6),
            Priority = reader.GetInt32(7),
            AttemptCountMax = reader.GetInt32(8),
            LeaseDuration = reader.GetTimeSpan(9),
            Extras = ExtrasCodec.DecodeTask(reader.GetFieldValue<byte[]>(29)),
        },
        After = ReadDependencies(reader.GetFieldValue<Guid[]>(10), reader.GetFieldValue<short[]>(11)),
        State = (TaskState)reader.GetInt16(12),
        Attempt = reader.GetInt32(13),
        FailureCount = reader.GetInt32(14),
        ExpiryCount = reader.GetInt32(15),
        CreatedAt = reader.GetFieldValue<DateTimeOffset>(16),
        DueAt = reader.OptionalTime(17),
        StartedAt = reader.OptionalTime(18),
        EndedAt = reader.OptionalTime(19),
        Worker = reader.IsDBNull(20) ? null : new WorkerId(reader.GetGuid(20)),
        WorkerName = reader.OptionalText(21),
        Output = reader.GetFieldValue<byte[]>(22),
        Failure = reader.IsDBNull(23) ? null : new Failure((FailureKind)reader.GetInt16(23), reader.GetString(24), reader.GetString(25)),
        Reason = reader.OptionalText(26),
        WorkerProcess = reader.IsDBNull(27) ? null : reader.GetGuid(27),
        DoomedBy = reader.IsDBNull(28) ? null : new TaskId(reader.GetGuid(28)),
    });

    /// <summary>Which outcome a dependency wants stands among the extras: nearly none wants one.</summary>
    private static TaskRow WithOutcomes(TaskRow row) => row.Spec.Extras.WantedOutcomes is { } wanted
        ? row with { After = [.. row.After.Select((dependency, i) => dependency with { Outcome = wanted[i] })] }
        : row;

    /// <summary>In the order of ProjectionSql.UpsertTasks.</summary>
    /// <remarks>An array of arrays of different lengths does not exist in SQL, so the dependencies of all tasks travel
    /// in one array and each task says which part of it is its own.</remarks>
    public static void AddTo(NpgsqlParameterCollection parameters, IReadOnlyList<(ShardId Shard, TaskRow Row)> tasks)
    {
        AddIdentityTo(parameters, tasks);
        parameters
            .Column(Of(task => (short)task.Row.State), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Attempt), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.FailureCount), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.ExpiryCount), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.CreatedAt.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.DueAt?.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.StartedAt?.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.EndedAt?.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.Worker?.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.WorkerName), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Output), NpgsqlDbType.Bytea)
            .Column(Of(task => (short?)task.Row.Failure?.Kind), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Failure?.Reason), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Failure?.Fingerprint), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Reason), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.WorkerProcess), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.DoomedBy?.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => ExtrasCodec.Encode(task.Row.Spec.Extras)), NpgsqlDbType.Bytea)
            .Column(Of(task => task.Row.AwaitsApproval), NpgsqlDbType.Boolean);

        T[] Of<T>(Func<(ShardId Shard, TaskRow Row), T> value) => ArrayOf(tasks, value);
    }

    /// <summary>In the order of ProjectionSql.AddTasks.</summary>
    public static void AddAddedTo(NpgsqlParameterCollection parameters, IReadOnlyList<(ShardId Shard, TaskRow Row)> tasks)
    {
        AddIdentityTo(parameters, tasks);
        parameters
            .Column(Of(task => (short)task.Row.State), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Attempt), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.CreatedAt.UtcDateTime), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.StartedAt?.UtcDateTime), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.EndedAt?.UtcDateTime), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.Output), NpgsqlDbType.Bytea)
            .Column(Of(task => ExtrasCodec.Encode(task.Row.Spec.Extras)), NpgsqlDbType.Bytea);

        T[] Of<T>(Func<(ShardId Shard, TaskRow Row), T> value) => ArrayOf(tasks, value);
    }

    /// <summary>In the order of ProjectionSql.MoveTasks.</summary>
    public static void AddMovedTo(NpgsqlParameterCollection parameters, IReadOnlyList<(ShardId Shard, TaskRow Row)> tasks)
    {
        parameters
            .Column(Of(task => (short)task.Shard.Value), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Tenant.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.Id.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => (short)task.Row.State), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Attempt), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.StartedAt?.UtcDateTime), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.EndedAt?.UtcDateTime), NpgsqlDbType.TimestampTz)
            .Column(Of(task => task.Row.Worker?.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.WorkerName), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.WorkerProcess), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.Output), NpgsqlDbType.Bytea);

        T[] Of<T>(Func<(ShardId Shard, TaskRow Row), T> value) => ArrayOf(tasks, value);
    }

    /// <summary>What a task is and what it waits for: $3 to $17 of what adds it.</summary>
    private static void AddIdentityTo(NpgsqlParameterCollection parameters, IReadOnlyList<(ShardId Shard, TaskRow Row)> tasks)
    {
        var starts = new int[tasks.Count];
        var next = 1;
        for (var i = 0; i < tasks.Count; i++)
        {
            starts[i] = next;
            next += tasks[i].Row.After.Count;
        }

        parameters
            .Column(Of(task => (short)task.Shard.Value), NpgsqlDbType.Smallint)
            .Column(Of(task => task.Row.Tenant.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.Goal.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.Id.Value), NpgsqlDbType.Uuid)
            .Column(Of(task => task.Row.Spec.Name), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Spec.Executor), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Spec.Kind), NpgsqlDbType.Text)
            .Column(Of(task => task.Row.Spec.Input), NpgsqlDbType.Bytea)
            .Column(Of(task => task.Row.Spec.Priority), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.Spec.AttemptCountMax), NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.Spec.LeaseDuration), NpgsqlDbType.Interval)
            .Column(starts, NpgsqlDbType.Integer)
            .Column(Of(task => task.Row.After.Count), NpgsqlDbType.Integer)
            .Column(tasks.SelectMany(task => task.Row.After).Select(dependency => dependency.On.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(tasks.SelectMany(task => task.Row.After).Select(dependency => (short)dependency.Kind).ToArray(), NpgsqlDbType.Smallint);

        T[] Of<T>(Func<(ShardId Shard, TaskRow Row), T> value) => ArrayOf(tasks, value);
    }

    private static T[] ArrayOf<T>(IReadOnlyList<(ShardId Shard, TaskRow Row)> tasks, Func<(ShardId Shard, TaskRow Row), T> value)
    {
        var values = new T[tasks.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = value(tasks[i]);
        return values;
    }

    private static Dependency[] ReadDependencies(Guid[] on, short[] kinds)
    {
        var dependencies = on.Length == 0 ? [] : new Dependency[on.Length];
        for (var i = 0; i < dependencies.Length; i++)
            dependencies[i] = new Dependency(new TaskId(on[i]), (DependencyKind)kinds[i]);
        return dependencies;
    }
}
