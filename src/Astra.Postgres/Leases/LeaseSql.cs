namespace Astra.Postgres.Leases;

/// <summary>
/// How shards change hands. A shard belongs to the living node whose lease_id it bears, and to nobody otherwise. So a
/// node that comes too late, or anew, loses everything by getting another lease_id, without a shard being touched.
/// </summary>
internal static class LeaseSql
{
    /// <summary>One node decides at a time; held to the end of the transaction.</summary>
    public const string TakeTurn = "SELECT pg_advisory_xact_lock(418447487586)";

    /// <summary>
    /// $1 node, $2 address, $3 incarnation, $4 duration, $5 whether it drains. The clock is the database's, and runs on within the
    /// transaction: now() would be the time at which we began to wait for our turn.
    /// </summary>
    public const string Renew = """
        INSERT INTO nodes AS n (node_id, address, incarnation, lease_id, expires_at, is_draining)
        VALUES ($1, $2, $3, nextval('lease_ids'), clock_timestamp() + $4, $5)
        ON CONFLICT (node_id) DO UPDATE SET
            address = excluded.address,
            incarnation = excluded.incarnation,
            lease_id = CASE WHEN n.incarnation = excluded.incarnation AND n.expires_at > clock_timestamp() THEN n.lease_id ELSE excluded.lease_id END,
            previous_lease_id = CASE WHEN n.incarnation = excluded.incarnation AND n.expires_at > clock_timestamp() THEN n.previous_lease_id ELSE n.lease_id END,
            expires_at = excluded.expires_at,
            is_draining = excluded.is_draining
        """;

    /// <summary>Nodes that nobody has heard of for a day are of no interest to operators either.</summary>
    public const string Forget = "DELETE FROM nodes WHERE expires_at < clock_timestamp() - interval '1 day'";

    /// <summary>To the end of the transaction. SET LOCAL would do the same, and warn each time that no BEGIN came before it.</summary>
    public const string WaitAtMost = "SELECT set_config('lock_timeout', '2s', true)";

    /// <summary>
    /// $1 node, $2 shards to release. Waits for the commits in flight on every shard that may change hands, in shard
    /// order, as appends lock them.
    /// </summary>
    public const string LockFree = """
        SELECT s.shard
        FROM shards AS s
        WHERE s.lease_id IS NULL
           OR NOT EXISTS (SELECT FROM nodes AS n WHERE n.lease_id = s.lease_id AND n.expires_at > clock_timestamp())
           OR (s.shard = ANY($2) AND s.lease_id = (SELECT n.lease_id FROM nodes AS n WHERE n.node_id = $1))
        ORDER BY s.shard
        FOR UPDATE OF s
        """;

    public const string Release = """
        UPDATE shards AS s
        SET lease_id = NULL
        FROM nodes AS me
        WHERE me.node_id = $1 AND s.lease_id = me.lease_id AND s.shard = ANY($2)
        """;

    /// <summary>
    /// $1 node. Free shards up to the fair share, those it had before it was away first. The share is rounded up, so
    /// that the shares of all living nodes that take any always cover every shard. A node that drains takes none, unless
    /// all of them drain.
    /// </summary>
    public const string Take = """
        UPDATE shards AS s
        SET epoch = s.epoch + 1, lease_id = chosen.lease_id
        FROM (
            SELECT free.shard, me.lease_id
            FROM nodes AS me
            CROSS JOIN shards AS free
            WHERE me.node_id = $1
              AND NOT EXISTS (SELECT FROM nodes AS n WHERE n.lease_id = free.lease_id AND n.expires_at > clock_timestamp())
            ORDER BY (free.lease_id IS NOT DISTINCT FROM me.previous_lease_id) DESC, free.shard
            LIMIT (
                SELECT GREATEST(0,
                    CASE
                        WHEN taking.nodes = 0 THEN (4096 + taking.living - 1) / taking.living
                        WHEN me.is_draining THEN 0
                        ELSE (4096 + taking.nodes - 1) / taking.nodes
                    END - (SELECT count(*) FROM shards AS mine WHERE mine.lease_id = me.lease_id))
                FROM nodes AS me
                CROSS JOIN (SELECT count(*) AS living, count(*) FILTER (WHERE NOT is_draining) AS nodes FROM nodes WHERE expires_at > clock_timestamp()) AS taking
                WHERE me.node_id = $1)
        ) AS chosen
        WHERE s.shard = chosen.shard
        """;

    public const string ReadNodes = """
        SELECT n.node_id, n.address, n.incarnation, n.lease_id, n.expires_at > clock_timestamp(), n.is_draining
        FROM nodes AS n
        ORDER BY n.node_id
        """;

    /// <summary>4,096 rows as two arrays, in shard order.</summary>
    public const string ReadShards = "SELECT array_agg(epoch ORDER BY shard), array_agg(COALESCE(lease_id, 0) ORDER BY shard) FROM shards";

    public const string Leave = "DELETE FROM nodes WHERE node_id = $1 AND incarnation = $2";
}
