using System.Text.Json;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Npgsql;

namespace Astra.Chaos.Audit;

/// <summary>The database as its superuser sees it, past the servers and past row-level security.</summary>
internal sealed class DatabaseView(NpgsqlDataSource source) : IAsyncDisposable
{
    private const int Shards = 4096;

    /// <summary>Notes in the transaction of each append who makes it and under which epoch. Of the run, not of the product.</summary>
    public async Task WatchWritersAsync(CancellationToken cancellationToken) => await ExecuteAsync("""
        CREATE SCHEMA chaos;
        CREATE TABLE chaos.appends (id bigint GENERATED ALWAYS AS IDENTITY, shard smallint, epoch bigint, writer text, first bigint, last bigint);
        CREATE INDEX ON chaos.appends (id);
        CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = chaos, pg_temp AS $$
        BEGIN
            INSERT INTO chaos.appends (shard, epoch, writer, first, last)
            SELECT added.shard, (SELECT s.epoch FROM astra.shards AS s WHERE s.shard = added.shard), COALESCE(current_setting('chaos.writer', true), '?'), min(added.seq), max(added.seq)
            FROM added GROUP BY added.shard;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER note AFTER INSERT ON astra.log REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chaos.note();
        """, cancellationToken);

    /// <summary>Appends since the last one that was read, those of a shard in the order of its log, and forgets them.</summary>
    public async Task<IReadOnlyList<Append>> TakeAppendsAsync(CancellationToken cancellationToken)
    {
        var appends = await ReadAsync(
            "WITH taken AS (DELETE FROM chaos.appends RETURNING shard, epoch, writer, first, last) SELECT * FROM taken ORDER BY shard, first",
            row => new Append(row.GetInt16(0), row.GetInt64(1), row.GetString(2), row.GetInt64(3), row.GetInt64(4)), cancellationToken);
        return appends;
    }

    /// <summary>What each shard has after the number that was read last.</summary>
    public Task<IReadOnlyList<LogEntry>> ReadLogAsync(IReadOnlyDictionary<int, long> heads, CancellationToken cancellationToken)
    {
        var (shards, seqs) = (new short[Shards], new long[Shards]);
        for (var shard = 0; shard < Shards; shard++)
            (shards[shard], seqs[shard]) = ((short)shard, heads.GetValueOrDefault(shard));
        return ReadAsync("""
            SELECT l.shard, l.seq, l.goal, l.task, l.kind, l.from_state, l.to_state, l.attempt, l.codec_version, l.data
            FROM unnest($1, $2) AS asked (shard, seq)
            CROSS JOIN LATERAL (SELECT * FROM astra.log AS l WHERE l.shard = asked.shard AND l.seq > asked.seq) AS l
            ORDER BY l.shard, l.seq
            """,
            row => new LogEntry(
                row.GetInt16(0), row.GetInt64(1), row.GetGuid(2), row.IsDBNull(3) ? null : row.GetGuid(3), (EventKind)row.GetInt16(4),
                StateOf(row, 5), StateOf(row, 6), row.GetInt32(7), row.GetInt16(8), row.GetFieldValue<byte[]>(9)),
            cancellationToken, shards, seqs);

        static TaskState? StateOf(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : (TaskState)row.GetInt16(column);
    }

    public Task<IReadOnlyList<GoalRow>> ReadGoalsAsync(Guid[] goals, CancellationToken cancellationToken) => ReadAsync("""
        SELECT g.id, g.idempotency_key, g.state, g.pending_count, g.ready_count, g.running_count, g.completed_count, g.cancelled_count, g.dead_count
        FROM astra.goals AS g JOIN astra.tenants AS t ON t.tenant = g.tenant WHERE g.id = ANY($1)
        """,
        row => new GoalRow(row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1), (GoalState)row.GetInt16(2), [.. Enumerable.Range(3, 6).Select(row.GetInt32)]),
        cancellationToken, goals);

    public Task<IReadOnlyList<TaskRow>> ReadTasksAsync(Guid[] goals, CancellationToken cancellationToken) => ReadAsync("""
        SELECT k.id, k.goal, k.name, k.state, k.attempt, k.after_tasks, k.output
        FROM astra.tasks AS k JOIN astra.tenants AS t ON t.tenant = k.tenant WHERE k.goal = ANY($1)
        """,
        row => new TaskRow(row.GetGuid(0), row.GetGuid(1), row.GetString(2), (TaskState)row.GetInt16(3), row.GetInt32(4), row.GetFieldValue<Guid[]>(5), ValueOf(row.GetFieldValue<byte[]>(6))),
        cancellationToken, goals);

    /// <summary>How many of these goals the rows show to have ended.</summary>
    public async Task<long> CountEndedAsync(Guid[] goals, CancellationToken cancellationToken) =>
        (await ReadAsync("SELECT count(*) FROM astra.goals AS g JOIN astra.tenants AS t ON t.tenant = g.tenant WHERE g.id = ANY($1) AND g.state <> 1", row => row.GetInt64(0), cancellationToken, goals))[0];

    public async Task<long> CountGoalsAsync(CancellationToken cancellationToken) =>
        (await ReadAsync("SELECT count(*) FROM astra.goals", row => row.GetInt64(0), cancellationToken))[0];

    public async Task<IReadOnlyDictionary<TaskState, long>> CountTasksAsync(CancellationToken cancellationToken) =>
        (await ReadAsync("SELECT state, count(*) FROM astra.tasks GROUP BY state", row => (State: (TaskState)row.GetInt16(0), Count: row.GetInt64(1)), cancellationToken)).ToDictionary(one => one.State, one => one.Count);

    public async Task<IReadOnlyDictionary<string, long>> ReadDeadTuplesAsync(CancellationToken cancellationToken) =>
        (await ReadAsync("SELECT relname::text, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'astra' AND n_tup_upd + n_tup_del > 0", row => (Table: row.GetString(0), Count: row.GetInt64(1)), cancellationToken)).ToDictionary(one => one.Table, one => one.Count);

    public async Task<long> ReadLogBytesAsync(CancellationToken cancellationToken) =>
        (await ReadAsync("SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'astra.log'::regclass", row => row.GetInt64(0), cancellationToken))[0];

    public ValueTask DisposeAsync() => source.DisposeAsync();

    /// <summary>Asks until the database answers: it may be down, and that is nothing that an audit reports.</summary>
    private async Task<IReadOnlyList<T>> ReadAsync<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params object[] values)
    {
        while (true)
        {
            try
            {
                await using var command = source.CreateCommand(sql);
                foreach (var value in values)
                    command.Parameters.Add(new NpgsqlParameter { Value = value });
                await using var reader = await command.ExecuteReaderAsync(cancellationToken);
                var rows = new List<T>();
                while (await reader.ReadAsync(cancellationToken))
                    rows.Add(read(reader));
                return rows;
            }
            catch (NpgsqlException e) when (e.IsTransient || e.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow || e is not PostgresException)
            {
                await Task.Delay(200, cancellationToken);
            }
        }
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static long? ValueOf(byte[] output)
    {
        if (output.Length == 0)
            return null;
        using var document = JsonDocument.Parse(output);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("value", out var value) ? value.GetInt64() : null;
    }
}
