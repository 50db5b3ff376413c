using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Projection;

/// <summary>A goal as columns, both ways.</summary>
internal static class GoalRows
{
    public const string Columns = """
        g.tenant, g.id, g.agent, g.title, g.input, g.priority, g.dead_task_policy, g.state, g.revision, g.last_seq, g.created_at, g.ended_at,
        g.result, g.reason, g.idempotency_key, g.request_digest, g.submitted_by,
        g.pending_count, g.ready_count, g.running_count, g.completed_count, g.cancelled_count, g.dead_count,
        g.extras
        """;

    public static GoalRow Read(NpgsqlDataReader reader) => new()
    {
        Tenant = new TenantId(reader.GetGuid(0)),
        Id = new GoalId(reader.GetGuid(1)),
        Agent = reader.OptionalText(2),
        Title = reader.GetString(3),
        Input = reader.GetFieldValue<byte[]>(4),
        Priority = reader.GetInt32(5),
        DeadTaskPolicy = (DeadTaskPolicy)reader.GetInt16(6),
        State = (GoalState)reader.GetInt16(7),
        Revision = reader.GetInt64(8),
        LastSeq = reader.GetInt64(9),
        CreatedAt = reader.GetFieldValue<DateTimeOffset>(10),
        EndedAt = reader.OptionalTime(11),
        Result = reader.GetFieldValue<byte[]>(12),
        Reason = reader.OptionalText(13),
        IdempotencyKey = reader.OptionalText(14),
        RequestDigest = (ulong)reader.GetInt64(15),
        SubmittedBy = reader.GetString(16),
        Counts = new TaskCounts(
            reader.GetInt32(17), reader.GetInt32(18), reader.GetInt32(19), reader.GetInt32(20), reader.GetInt32(21), reader.GetInt32(22)),
        Extras = ExtrasCodec.DecodeGoal(reader.GetFieldValue<byte[]>(23)),
    };

    /// <summary>In the order of ProjectionSql.UpsertGoals.</summary>
    public static void AddTo(NpgsqlParameterCollection parameters, IReadOnlyList<(ShardId Shard, GoalRow Row)> goals)
    {
        parameters
            .Column(Of(goal => (short)goal.Shard.Value), NpgsqlDbType.Smallint)
            .Column(Of(goal => goal.Row.Tenant.Value), NpgsqlDbType.Uuid)
            .Column(Of(goal => goal.Row.Id.Value), NpgsqlDbType.Uuid)
            .Column(Of(goal => goal.Row.Agent), NpgsqlDbType.Text)
            .Column(Of(goal => goal.Row.Title), NpgsqlDbType.Text)
            .Column(Of(goal => goal.Row.Input), NpgsqlDbType.Bytea)
            .Column(Of(goal => goal.Row.Priority), NpgsqlDbType.Integer)
            .Column(Of(goal => (short)goal.Row.DeadTaskPolicy), NpgsqlDbType.Smallint)
            .Column(Of(goal => (short)goal.Row.State), NpgsqlDbType.Smallint)
            .Column(Of(goal => goal.Row.Revision), NpgsqlDbType.Bigint)
            .Column(Of(goal => goal.Row.LastSeq), NpgsqlDbType.Bigint)
            .Column(Of(goal => goal.Row.CreatedAt.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(goal => goal.Row.EndedAt?.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Of(goal => goal.Row.Result), NpgsqlDbType.Bytea)
            .Column(Of(goal => goal.Row.Reason), NpgsqlDbType.Text)
            .Column(Of(goal => goal.Row.IdempotencyKey), NpgsqlDbType.Text)
            .Column(Of(goal => (long)goal.Row.RequestDigest), NpgsqlDbType.Bigint)
            .Column(Of(goal => goal.Row.SubmittedBy), NpgsqlDbType.Text)
            .Column(Of(goal => goal.Row.Counts.Pending), NpgsqlDbType.Integer)
            .Column(Of(goal => goal.Row.Counts.Ready), NpgsqlDbType.Integer)
            .Column(Of(goal => goal.Row.Counts.Running), NpgsqlDbType.Integer)
            .Column(Of(goal => goal.Row.Counts.Completed), NpgsqlDbType.Integer)
            .Column(Of(goal => goal.Row.Counts.Cancelled), NpgsqlDbType.Integer)
            .Column(Of(goal => goal.Row.Counts.Dead), NpgsqlDbType.Integer)
            .Column(Of(goal => ExtrasCodec.Encode(goal.Row.Extras)), NpgsqlDbType.Bytea);

        T[] Of<T>(Func<(ShardId Shard, GoalRow Row), T> value) => goals.Select(value).ToArray();
    }
}
