using Astra.Kernel;
using Astra.Kernel.Timers;
using Npgsql;

namespace Astra.Postgres.Scheduling;

/// <summary>Schedules as rows. The scheduler's role reads what is due; every write is the tenant's own.</summary>
public sealed class PostgresSchedules : ISchedules
{
    private const string Columns = """
        tenant, id, name, fires_when, time_zone, misfire, submission, created_by, created_at, next_at, last_at, last_goal,
        last_problem, fired_count, missed_count, paused_by, version
        """;

    private const string Add = $"""
        INSERT INTO schedules ({Columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT DO NOTHING
        """;

    private const string Find = $"SELECT {Columns} FROM schedules WHERE tenant = $1 AND id = $2";
    private const string List = $"SELECT {Columns} FROM schedules WHERE tenant = $1 ORDER BY name COLLATE \"C\"";

    private const string Update = """
        UPDATE schedules SET next_at = $4, last_at = $5, last_goal = $6, last_problem = $7, fired_count = $8, missed_count = $9, paused_by = $10, version = version + 1
        WHERE tenant = $1 AND id = $2 AND version = $3
        """;

    private const string Remove = "DELETE FROM schedules WHERE tenant = $1 AND id = $2";
    private const string ReadDue = $"SELECT {Columns} FROM schedules WHERE next_at <= $1 AND paused_by IS NULL ORDER BY next_at, id LIMIT $2";

    private const string ReadLater = $"""
        SELECT {Columns} FROM schedules WHERE next_at > $1 AND paused_by IS NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """;

    private readonly Database _database;

    internal PostgresSchedules(Database database) => _database = database;

    public async ValueTask<bool> AddAsync(Schedule schedule, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, schedule.Tenant, Add, cancellationToken);
        query.Parameters.Uuid(schedule.Tenant.Value).Uuid(schedule.Id.Value).Text(schedule.Name).Text(schedule.When).Text(schedule.TimeZone).Smallint((int)schedule.Misfire)
            .Bytes(schedule.Submission).Text(schedule.CreatedBy).Timestamp(schedule.CreatedAt).OptionalTimestamp(schedule.NextAt).OptionalTimestamp(schedule.LastAt)
            .OptionalUuid(schedule.LastGoal?.Value).OptionalText(schedule.LastProblem).Bigint(schedule.FiredCount).Bigint(schedule.MissedCount).OptionalText(schedule.PausedBy).Bigint(schedule.Version);
        return await TouchesAsync(query, cancellationToken);
    }

    public async ValueTask<Schedule?> FindAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Find, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(id.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return (await ReadAsync(reader, cancellationToken)).SingleOrDefault();
    }

    public async ValueTask<IReadOnlyList<Schedule>> ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, List, cancellationToken);
        query.Parameters.Uuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ReadAsync(reader, cancellationToken);
    }

    public async ValueTask<bool> UpdateAsync(Schedule schedule, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, schedule.Tenant, Update, cancellationToken);
        query.Parameters.Uuid(schedule.Tenant.Value).Uuid(schedule.Id.Value).Bigint(schedule.Version).OptionalTimestamp(schedule.NextAt).OptionalTimestamp(schedule.LastAt)
            .OptionalUuid(schedule.LastGoal?.Value).OptionalText(schedule.LastProblem).Bigint(schedule.FiredCount).Bigint(schedule.MissedCount).OptionalText(schedule.PausedBy);
        return await TouchesAsync(query, cancellationToken);
    }

    public async ValueTask<bool> RemoveAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Remove, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(id.Value);
        return await TouchesAsync(query, cancellationToken);
    }

    public async ValueTask<IReadOnlyList<Schedule>> ReadDueAsync(DateTimeOffset by, int countMax, CancellationToken cancellationToken)
    {
        await using var command = _database.Leases.CreateCommand(ReadDue);
        command.Parameters.Timestamp(by).Integer(countMax);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, cancellationToken);
    }

    public async ValueTask<IReadOnlyList<Schedule>> ReadLaterAsync(DateTimeOffset than, ScheduleId? after, int countMax, CancellationToken cancellationToken)
    {
        await using var command = _database.Leases.CreateCommand(ReadLater);
        command.Parameters.Timestamp(than).OptionalUuid(after?.Value).Integer(countMax);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, cancellationToken);
    }

    private static async ValueTask<bool> TouchesAsync(TenantQuery query, CancellationToken cancellationToken)
    {
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return query.TouchedByFirst > 0;
    }

    private static async ValueTask<IReadOnlyList<Schedule>> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var schedules = new List<Schedule>();
        while (await reader.ReadAsync(cancellationToken))
        {
            schedules.Add(new Schedule
            {
                Tenant = new TenantId(reader.GetGuid(0)), Id = new ScheduleId(reader.GetGuid(1)), Name = reader.GetString(2), When = reader.GetString(3), TimeZone = reader.GetString(4),
                Misfire = (MisfirePolicy)reader.GetInt16(5), Submission = reader.GetFieldValue<byte[]>(6), CreatedBy = reader.GetString(7), CreatedAt = reader.GetFieldValue<DateTimeOffset>(8),
                NextAt = reader.OptionalTime(9), LastAt = reader.OptionalTime(10), LastGoal = reader.IsDBNull(11) ? null : new GoalId(reader.GetGuid(11)), LastProblem = reader.OptionalText(12),
                FiredCount = reader.GetInt64(13), MissedCount = reader.GetInt64(14), PausedBy = reader.OptionalText(15), Version = reader.GetInt64(16),
            });
        }
        return schedules;
    }
}
