using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Money;
using Astra.Llm.Recording;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Recording;

/// <summary>What goals' tasks were answered: written for all tenants in one statement, read for one goal of one tenant.</summary>
public sealed class PostgresRecordings : IRecordingStore
{
    private const string Insert = """
        INSERT INTO goal_recordings (tenant, goal, task, kind, id, at, request, name, answer, cost_nanos, attempt)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::uuid[], $6::timestamptz[], $7::bytea[], $8::text[], $9::bytea[], $10::bigint[], $11::integer[])
        ON CONFLICT (tenant, goal, id) DO NOTHING
        """;

    private const string Read = """
        SELECT r.task, r.kind, r.id, r.at, r.request, r.name, r.answer, r.cost_nanos, r.attempt
        FROM goal_recordings AS r
        WHERE r.tenant = $1 AND r.goal = $2
        ORDER BY r.at, r.id
        """;

    // Whoever has it deletes, one batch; any number will do as long as nobody else on the same database uses it: "recs" in ASCII.
    private const string ForgetAlone = "SELECT pg_try_advisory_xact_lock(1919247219)";

    /// <summary>The oldest of goals that ended long enough ago, and of those that nobody knows. A goal in quarantine is not over.</summary>
    private const string Forget = """
        WITH old AS (
            SELECT r.tenant, r.goal, r.id
            FROM goal_recordings AS r
            LEFT JOIN goals AS g ON g.tenant = r.tenant AND g.id = r.goal
            WHERE r.at >= $3 AND r.at < clock_timestamp() - $1 AND (g.id IS NULL OR g.ended_at < clock_timestamp() - $1)
                AND NOT EXISTS (SELECT FROM quarantined_goals AS q WHERE q.tenant = r.tenant AND q.goal = r.goal AND q.discarded_at IS NULL)
            ORDER BY r.at
            LIMIT $2
        ), gone AS (
            DELETE FROM goal_recordings AS r USING old AS o WHERE r.tenant = o.tenant AND r.goal = o.goal AND r.id = o.id RETURNING r.at
        )
        SELECT count(*), max(gone.at) FROM gone
        """;

    private readonly Database _database;

    internal PostgresRecordings(Database database) => _database = database;

    public async ValueTask WriteAsync(IReadOnlyList<Llm.Recording.Recording> recordings, CancellationToken cancellationToken)
    {
        var rows = recordings.DistinctBy(recording => (recording.Tenant, recording.Goal, recording.Id)).ToArray();
        await using var command = _database.Journal.CreateCommand(Insert);
        command.Parameters
            .Column(Array.ConvertAll(rows, row => row.Tenant.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.Goal.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.Task.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => (short)row.Kind), NpgsqlDbType.Smallint)
            .Column(Array.ConvertAll(rows, row => row.Id), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.At.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Array.ConvertAll(rows, row => row.Request.ToArray()), NpgsqlDbType.Bytea)
            .Column(Array.ConvertAll(rows, row => row.Name.Replace("\0", "", StringComparison.Ordinal)), NpgsqlDbType.Text)
            .Column(Array.ConvertAll(rows, row => row.Answer.ToArray()), NpgsqlDbType.Bytea)
            .Column(Array.ConvertAll(rows, row => row.Cost.Value), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Attempt), NpgsqlDbType.Integer);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Deletes recordings of goals that have been over for so long, the oldest first and a small batch in each transaction.
    /// One server does it at a time; another one that comes meanwhile leaves it to that.</summary>
    public async ValueTask<long> ForgetAsync(TimeSpan kept, int batchMax, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        var (forgotten, from) = (0L, DateTimeOffset.UnixEpoch);
        while (true)
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var alone = new NpgsqlCommand(ForgetAlone, connection, transaction);
            if (await alone.ExecuteScalarAsync(cancellationToken) is not true)
                return forgotten;
            await using var forget = new NpgsqlCommand(Forget, connection, transaction);
            forget.Parameters.Interval(kept).Integer(batchMax).Timestamp(from);
            long count;
            await using (var reader = await forget.ExecuteReaderAsync(cancellationToken))
            {
                await reader.ReadAsync(cancellationToken);
                count = reader.GetInt64(0);
                // What is older belongs to goals that are not over; the next batch need not look at that again.
                from = count > 0 ? reader.GetFieldValue<DateTimeOffset>(1) : from;
            }
            await transaction.CommitAsync(cancellationToken);
            forgotten += count;
            if (count < batchMax)
                return forgotten;
        }
    }

    public async ValueTask<IReadOnlyList<Llm.Recording.Recording>> ReadAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, Read, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(goal.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var recordings = new List<Llm.Recording.Recording>();
        while (await reader.ReadAsync(cancellationToken))
        {
            recordings.Add(new Llm.Recording.Recording(
                tenant, goal, new TaskId(reader.GetGuid(0)), (RecordingKind)reader.GetInt16(1), reader.GetGuid(2), reader.GetFieldValue<DateTimeOffset>(3),
                Digest.From(reader.GetFieldValue<byte[]>(4)), reader.GetString(5), reader.GetFieldValue<byte[]>(6)) { Cost = new Nanodollars(reader.GetInt64(7)), Attempt = reader.GetInt32(8) });
        }
        return recordings;
    }
}
