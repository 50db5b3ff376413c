namespace Astra.Postgres.Webhooks;

/// <summary>What there is to tell, for all tenants, and who is to be told. As astra_journal.</summary>
internal static class OutboxSql
{
    /// <summary>Events of a tenant are numbered by whoever holds this: one at a time. Any number that nobody else uses.</summary>
    public const string Number = "SELECT pg_advisory_xact_lock(418447487586)";

    /// <summary>Somebody else who looks already sees the same.</summary>
    public const string TryNumber = "SELECT pg_try_advisory_xact_lock(418447487586)";

    /// <summary>Takes deaths that nobody has looked at, and says which causes they made a group of: those that had no dead
    /// letter but these. A statement sees the rows as they were before it, so "looked at" is what was before.</summary>
    public const string HearDeaths = """
        WITH heard AS (
            UPDATE task_deaths AS d SET is_heard = true
            WHERE (d.tenant, d.task, d.at) IN (SELECT u.tenant, u.task, u.at FROM task_deaths AS u WHERE NOT u.is_heard ORDER BY u.at LIMIT $1)
            RETURNING d.*
        ), groups AS (
            SELECT h.tenant, h.fingerprint, count(*)::integer AS count, min(h.at) AS at,
                array_agg(DISTINCT h.kind) AS kinds, array_agg(DISTINCT h.executor) AS executors,
                (array_agg(h.reason ORDER BY h.at, h.task))[1] AS reason,
                (array_agg(h.task ORDER BY h.at, h.task))[1] AS task, (array_agg(h.goal ORDER BY h.at, h.task))[1] AS goal
            FROM heard AS h
            GROUP BY h.tenant, h.fingerprint
        )
        SELECT g.tenant, g.fingerprint, g.count, g.at, g.kinds, g.executors, g.reason, g.task, g.goal,
            NOT EXISTS (
                SELECT FROM tasks AS t
                WHERE t.tenant = g.tenant AND t.is_dead AND t.failure_fingerprint = g.fingerprint
                  AND NOT EXISTS (SELECT FROM task_deaths AS u WHERE u.tenant = t.tenant AND u.task = t.id AND u.at = t.ended_at AND NOT u.is_heard))
        FROM groups AS g
        ORDER BY g.at, g.tenant, g.fingerprint
        """;

    public const string Hours = """
        SELECT d.tenant, date_trunc('hour', d.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS hour, d.kind, d.executor, count(*)::integer
        FROM task_deaths AS d
        WHERE d.at >= date_trunc('hour', clock_timestamp() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '24 hours'
          AND d.at < date_trunc('hour', (clock_timestamp() - interval '1 minute') AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
          AND NOT EXISTS (
            SELECT FROM failure_events AS e
            WHERE e.tenant = d.tenant AND e.kind = $1 AND e.subject = to_char(d.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24'))
        GROUP BY 1, 2, 3, 4
        ORDER BY 2, 1, 5 DESC, 3, 4
        """;

    /// <summary>A hook that many messages wait for already gets no more: a message that cannot be carried fails where people
    /// look, and the outbox stays bounded.</summary>
    private const string Full = "(SELECT count(*) FROM hook_deliveries AS d WHERE d.tenant = told.tenant AND d.hook = h.id AND d.state = 1) >= 1000";

    /// <summary>One event, and in the same statement its messages.</summary>
    public const string Tell = $"""
        WITH told AS (
            INSERT INTO failure_events AS e (tenant, seq, at, kind, subject, body)
            SELECT $1, COALESCE((SELECT max(n.seq) FROM failure_events AS n WHERE n.tenant = $1), 0) + 1, clock_timestamp(), $2, $3, $4
            ON CONFLICT (tenant, kind, subject) WHERE subject IS NOT NULL DO NOTHING
            RETURNING e.tenant, e.seq, e.at, e.kind
        )
        INSERT INTO hook_deliveries (tenant, hook, seq, message, created_at, state, due_at, ended_at, problem)
        SELECT told.tenant, h.id, told.seq, gen_random_uuid(), told.at,
            CASE WHEN {Full} THEN 3 ELSE 1 END,
            CASE WHEN {Full} THEN NULL ELSE told.at END,
            CASE WHEN {Full} THEN told.at END,
            CASE WHEN {Full} THEN 'A thousand messages wait for this hook already.' END
        FROM told
        JOIN hooks AS h ON h.tenant = told.tenant AND told.kind = ANY (h.kinds)
        """;

    /// <summary>For one hook, whatever it asked for, and taken at once.</summary>
    public const string Test = """
        WITH told AS (
            INSERT INTO failure_events AS e (tenant, seq, at, kind, body)
            SELECT $1, COALESCE((SELECT max(n.seq) FROM failure_events AS n WHERE n.tenant = $1), 0) + 1, clock_timestamp(), $3, $4
            WHERE EXISTS (SELECT FROM hooks AS h WHERE h.tenant = $1 AND h.id = $2)
            RETURNING e.tenant, e.seq, e.at, e.kind, e.body
        ), taken AS (
            INSERT INTO hook_deliveries AS d (tenant, hook, seq, message, created_at, state, attempt, due_at)
            SELECT told.tenant, $2, told.seq, gen_random_uuid(), told.at, 1, 1, told.at + $5
            FROM told
            RETURNING d.tenant, d.hook, d.seq, d.message, d.attempt
        )
        SELECT taken.tenant, taken.hook, taken.seq, taken.message, taken.attempt, told.kind, h.url, h.sealed_secret, told.body
        FROM taken
        JOIN told ON told.seq = taken.seq
        JOIN hooks AS h ON h.tenant = taken.tenant AND h.id = taken.hook
        """;

    /// <summary>Two of each hook at a time, so that one with a long queue is not the only one served.</summary>
    public const string Take = """
        WITH ranked AS (
            SELECT d.tenant, d.hook, d.seq, d.due_at, row_number() OVER (PARTITION BY d.tenant, d.hook ORDER BY d.due_at, d.seq) AS place
            FROM hook_deliveries AS d
            WHERE d.state = 1 AND d.due_at <= clock_timestamp() AND d.hook <> ALL ($2)
        ), chosen AS (
            SELECT d.tenant, d.hook, d.seq
            FROM hook_deliveries AS d
            JOIN ranked AS r ON r.tenant = d.tenant AND r.hook = d.hook AND r.seq = d.seq
            WHERE r.place <= 2 AND d.state = 1 AND d.due_at <= clock_timestamp()
            ORDER BY r.place, r.due_at
            LIMIT $1
            FOR UPDATE OF d SKIP LOCKED
        ), taken AS (
            UPDATE hook_deliveries AS d SET attempt = d.attempt + 1, due_at = clock_timestamp() + $3
            FROM chosen AS c
            WHERE d.tenant = c.tenant AND d.hook = c.hook AND d.seq = c.seq
            RETURNING d.tenant, d.hook, d.seq, d.message, d.attempt
        )
        SELECT taken.tenant, taken.hook, taken.seq, taken.message, taken.attempt, e.kind, h.url, h.sealed_secret, e.body
        FROM taken
        JOIN hooks AS h ON h.tenant = taken.tenant AND h.id = taken.hook
        JOIN failure_events AS e ON e.tenant = taken.tenant AND e.seq = taken.seq
        """;

    /// <summary>Only of the try that is the latest: one that was overtaken says nothing any more.</summary>
    public const string Settle = """
        UPDATE hook_deliveries AS d SET
            state = $5, status = $6, problem = $7, due_at = clock_timestamp() + $8,
            ended_at = CASE WHEN $5 = 1 THEN NULL ELSE clock_timestamp() END
        WHERE d.tenant = $1 AND d.hook = $2 AND d.seq = $3 AND d.attempt = $4 AND d.state = 1
        """;

    public const string NextDue = "SELECT min(d.due_at) - clock_timestamp() FROM hook_deliveries AS d WHERE d.state = 1 AND d.hook <> ALL ($1)";

    public const string Backlog = "SELECT count(*), COALESCE(clock_timestamp() - min(d.created_at), interval '0') FROM hook_deliveries AS d WHERE d.state = 1";

    public const string ForgetDeaths = "DELETE FROM task_deaths WHERE is_heard AND at < clock_timestamp() - $1";

    public const string ForgetMessages = "DELETE FROM hook_deliveries WHERE state <> 1 AND created_at < clock_timestamp() - $1";

    /// <summary>All but the latest of each tenant: the numbers go on from there.</summary>
    public const string ForgetEvents = """
        DELETE FROM failure_events AS e
        WHERE e.at < clock_timestamp() - $1 AND e.seq < (SELECT max(n.seq) FROM failure_events AS n WHERE n.tenant = e.tenant)
          AND NOT EXISTS (SELECT FROM hook_deliveries AS d WHERE d.tenant = e.tenant AND d.seq = e.seq)
        """;
}
