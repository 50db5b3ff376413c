using Npgsql;

namespace Astra.Postgres.Journal;

/// <summary>The segments the log is kept in: a ring, of which one is open and the closed ones can be dropped whole.</summary>
public sealed class LogSegments
{
    private const string Roll = "SELECT roll_log($1, $2)";
    private const string ReadClosed = "SELECT segment FROM log_segments WHERE closed_at < clock_timestamp() - $1 ORDER BY closed_at";

    /// <summary>An entry that its shard's rows do not show yet, or that a goal needs which is still active.</summary>
    private const string IsNeeded = """
        SELECT EXISTS (
            SELECT FROM log AS l
            JOIN shard_watermarks AS w ON w.shard = l.shard
            LEFT JOIN goals AS g ON g.tenant = l.tenant AND g.id = l.goal
            LEFT JOIN quarantined_goals AS q ON q.tenant = l.tenant AND q.goal = l.goal
            WHERE l.segment = $1 AND (l.seq > w.watermark OR (q.discarded_at IS NULL AND (g.id IS NULL OR g.state = 1 OR q.goal IS NOT NULL))))
        """;

    /// <summary>Everything else on these connections goes by an index; see Database.</summary>
    private const string ReadFromEndToEnd = "SET LOCAL enable_seqscan = on";

    // Emptying waits for whoever reads history, and whoever reads next waits behind it. It can come back later.
    private const string WaitAMoment = "SET LOCAL lock_timeout = '1s'";

    // Any number will do as long as nobody else on the same database uses it: "segm" in ASCII.
    private const string TidyAlone = "SELECT pg_try_advisory_xact_lock(1936025453)";

    private const string IsClosed = "SELECT closed_at IS NOT NULL FROM log_segments WHERE segment = $1";

    private const string Empty = "SELECT empty_log_segment($1)";

    private readonly Database _database;
    private readonly PostgresOptions _options;

    internal LogSegments(Database database, PostgresOptions options)
    {
        _database = database;
        _options = options;
    }

    /// <summary>Opens the next segment when the open one is larger or older than it may be. Cheap: once a minute is right.</summary>
    public async ValueTask<bool> RollAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.Journal.CreateCommand(Roll);
        command.Parameters.Bigint(_options.SegmentBytesMax).Interval(_options.SegmentAgeMax);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    /// <summary>
    /// Drops the closed segments that are older than the promised history, shown by the rows entirely, and not part of
    /// any goal that is active, quarantined or unknown to the rows. Answers how many it dropped.
    /// </summary>
    /// <remarks>It reads each such segment once from end to end, so it is for quiet hours.</remarks>
    public async ValueTask<int> DropProjectedSegmentsAsync(TimeSpan promisedHistory, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        var dropped = 0;
        foreach (var segment in await ReadClosedAsync(connection, promisedHistory, cancellationToken))
        {
            try
            {
                if (await TryDropAsync(connection, segment, cancellationToken))
                    dropped++;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable)
            {
                // Somebody reads in there.
            }
        }
        return dropped;
    }

    private static async ValueTask<bool> TryDropAsync(NpgsqlConnection connection, short segment, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var alone = new NpgsqlCommand(TidyAlone, connection, transaction);
        if (await alone.ExecuteScalarAsync(cancellationToken) is not true || !await IsClosedAsync(connection, transaction, segment, cancellationToken))
            return false;
        await using var needed = new NpgsqlBatch(connection, transaction) { Timeout = 0, BatchCommands = { new(ReadFromEndToEnd), new(IsNeeded) } };
        needed.BatchCommands[1].Parameters.Smallint(segment);
        if (await needed.ExecuteScalarAsync(cancellationToken) is true)
            return false;
        await using var empty = new NpgsqlBatch(connection, transaction) { BatchCommands = { new(WaitAMoment), new(Empty) } };
        empty.BatchCommands[1].Parameters.Smallint(segment);
        await empty.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    // Another server may have been first.
    private static async ValueTask<bool> IsClosedAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, short segment, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(IsClosed, connection, transaction);
        command.Parameters.Smallint(segment);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async ValueTask<IReadOnlyList<short>> ReadClosedAsync(
        NpgsqlConnection connection, TimeSpan promisedHistory, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(ReadClosed, connection);
        command.Parameters.Interval(promisedHistory);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var segments = new List<short>();
        while (await reader.ReadAsync(cancellationToken))
            segments.Add(reader.GetInt16(0));
        return segments;
    }
}
