using Astra.Kernel;
using Astra.Llm.Caching;
using Astra.Llm.Recording;
using NpgsqlTypes;

namespace Astra.Postgres.Recording;

/// <summary>What goals' tasks were answered: written for all tenants in one statement, read for one goal of one tenant.</summary>
public sealed class PostgresRecordings : IRecordingStore
{
    private const string Insert = """
        INSERT INTO goal_recordings (tenant, goal, task, kind, id, at, request, name, answer)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::uuid[], $6::timestamptz[], $7::bytea[], $8::text[], $9::bytea[])
        ON CONFLICT (tenant, goal, id) DO NOTHING
        """;

    private const string Read = """
        SELECT r.task, r.kind, r.id, r.at, r.request, r.name, r.answer
        FROM goal_recordings AS r
        WHERE r.tenant = $1 AND r.goal = $2
        ORDER BY r.at, r.id
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
            .Column(Array.ConvertAll(rows, row => row.Answer.ToArray()), NpgsqlDbType.Bytea);
        await command.ExecuteNonQueryAsync(cancellationToken);
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
                Digest.From(reader.GetFieldValue<byte[]>(4)), reader.GetString(5), reader.GetFieldValue<byte[]>(6)));
        }
        return recordings;
    }
}
