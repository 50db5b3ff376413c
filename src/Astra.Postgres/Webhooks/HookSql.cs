namespace Astra.Postgres.Webhooks;

/// <summary>Hooks as their tenant sees them.</summary>
internal static class HookSql
{
    public const string Add = """
        INSERT INTO hooks (tenant, id, url, kinds, created_by, created_at, sealed_secret)
        SELECT $1, $2, $3, $4, $5, $6, $7
        WHERE (SELECT count(*) FROM hooks AS h WHERE h.tenant = $1) < $8
        """;

    public const string List = """
        SELECT h.id, h.url, h.kinds, h.created_by, h.created_at,
            count(d.seq) FILTER (WHERE d.state = 1)::integer, count(d.seq) FILTER (WHERE d.state = 3)::integer,
            max(d.ended_at) FILTER (WHERE d.state = 2), min(d.due_at) FILTER (WHERE d.state = 1),
            (array_agg(d.problem ORDER BY COALESCE(d.ended_at, d.due_at) DESC, d.seq DESC) FILTER (WHERE d.attempt > 0 OR d.state = 3))[1]
        FROM hooks AS h
        LEFT JOIN hook_deliveries AS d ON d.tenant = h.tenant AND d.hook = h.id
        WHERE h.tenant = $1
        GROUP BY h.tenant, h.id
        ORDER BY h.id
        """;

    public const string ListMessages = """
        SELECT d.message, e.kind, d.state, d.attempt, d.created_at, d.due_at, d.ended_at, d.status, d.problem
        FROM hook_deliveries AS d
        JOIN failure_events AS e ON e.tenant = d.tenant AND e.seq = d.seq
        WHERE d.tenant = $1 AND d.hook = $2
        ORDER BY d.seq DESC
        LIMIT $3
        """;

    public const string Remove = "DELETE FROM hooks WHERE tenant = $1 AND id = $2 RETURNING id";

    public const string ListEvents = """
        SELECT e.seq, e.kind, e.at, e.body FROM failure_events AS e WHERE e.tenant = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3
        """;
}
