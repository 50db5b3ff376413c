namespace Astra.Postgres.Journal;

internal static class JournalSql
{
    /// <summary>
    /// Locks the epoch rows in shard order and inserts the entries of those that are still held, in one statement.
    /// </summary>
    /// <remarks>One statement and not three, because it is also one message: the locks are taken when everything has
    /// arrived and released without another word from us. A process that is stopped at any point holds none, so it can
    /// delay nobody's takeover. A row that a takeover changes while we wait for its lock is looked at again in its new
    /// version, epoch included, and left out. Columns are unnested in the list of a SELECT, where a row is made at a time; in a FROM
    /// each of them is put aside whole first, which is three times the work.</remarks>
    public const string Append = """
        WITH held AS MATERIALIZED (
            SELECT s.shard
            FROM shards AS s
            JOIN unnest($1, $2) AS owner (shard, epoch) ON owner.shard = s.shard AND owner.epoch = s.epoch
            ORDER BY s.shard
            FOR SHARE OF s
        ), inserted AS (
            INSERT INTO log (segment, shard, seq, at, tenant, goal, task, kind, from_state, command, to_state, attempt, key_id, codec_version, data)
            SELECT (SELECT segment FROM log_segments WHERE opened_at IS NOT NULL AND closed_at IS NULL), e.*
            FROM (SELECT
                unnest($3) AS shard, unnest($4) AS seq, unnest($5) AS at, unnest($6) AS tenant, unnest($7) AS goal, unnest($8) AS task,
                unnest($9) AS kind, unnest($10) AS from_state, unnest($11) AS command, unnest($12) AS to_state, unnest($13) AS attempt,
                unnest($14) AS key_id, unnest($15) AS codec_version, unnest($16) AS data) AS e
            WHERE (e.shard IN (SELECT shard FROM held)) IS TRUE
        )
        SELECT shard FROM held
        """;

    /// <summary>The last number of each shard; the log has the index for exactly this question. Of a shard that has been idle
    /// for long nothing may be left in the log, and then the watermark is that number.</summary>
    public const string ReadHeads = """
        SELECT asked.shard, GREATEST(w.watermark, (SELECT l.seq FROM log AS l WHERE l.shard = asked.shard ORDER BY l.seq DESC LIMIT 1))
        FROM unnest($1) AS asked (shard)
        JOIN shard_watermarks AS w ON w.shard = asked.shard
        """;

    private const string Columns = "shard, seq, at, tenant, goal, task, kind, from_state, command, to_state, attempt, key_id, codec_version, data";

    /// <summary>One look into the index for each shard; nearly all of them find nothing.</summary>
    public const string ReadTails = $"""
        SELECT tail.*
        FROM unnest($1, $2) AS asked (shard_asked, seq_asked)
        CROSS JOIN LATERAL (SELECT {Columns} FROM log WHERE shard = asked.shard_asked AND seq > asked.seq_asked) AS tail
        ORDER BY tail.shard, tail.seq
        """;

    /// <summary>
    /// A goal's history lies in the range that its row knows, and behind the watermark, which no row knows yet. A goal
    /// without a row has everything behind the watermark, unless the tables have refused it.
    /// </summary>
    /// <remarks>Under row-level security: the tenant of the transaction is the only one there is.</remarks>
    public const string ReadGoal = $"""
        WITH range AS (
            SELECT w.watermark,
                   CASE WHEN q.goal IS NOT NULL THEN 1 ELSE COALESCE(g.first_seq, w.watermark + 1) END AS first_seq,
                   CASE WHEN q.goal IS NOT NULL THEN w.watermark ELSE COALESCE(g.last_seq, 0) END AS last_seq
            FROM shard_watermarks AS w
            LEFT JOIN goals AS g ON g.tenant = $1 AND g.id = $2
            LEFT JOIN quarantined_goals AS q ON q.tenant = $1 AND q.goal = $2
            WHERE w.shard = $3
        )
        (SELECT {Columns} FROM log
         WHERE shard = $3 AND goal = $2 AND tenant = $1
           AND seq > $4 AND seq >= (SELECT first_seq FROM range) AND seq <= (SELECT last_seq FROM range)
         ORDER BY seq LIMIT $5)
        UNION ALL
        (SELECT {Columns} FROM log
         WHERE shard = $3 AND goal = $2 AND tenant = $1 AND seq > $4 AND seq > (SELECT watermark FROM range)
         ORDER BY seq LIMIT $5)
        ORDER BY seq LIMIT $5
        """;
}
