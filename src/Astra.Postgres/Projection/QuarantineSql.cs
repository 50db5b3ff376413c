namespace Astra.Postgres.Projection;

/// <summary>What becomes of goals in quarantine. In the statements that write, $1 and $2 are the shards and the epochs they
/// are written under.</summary>
internal static class QuarantineSql
{
    private const string Named = $"unnest($3, $4, $5) AS e (shard, tenant, goal)";

    /// <summary>First in its transaction: the rows that follow are let in.</summary>
    public const string Release = $"""
        DELETE FROM quarantined_goals AS q
        USING {Named}
        WHERE q.tenant = e.tenant AND q.goal = e.goal AND {ProjectionSql.IsHeld}
        """;

    /// <summary>What there was of its tasks is not complete, and all of them follow.</summary>
    public const string ForgetTasks = $"""
        DELETE FROM tasks AS t
        USING {Named}
        WHERE t.tenant = e.tenant AND t.goal = e.goal AND {ProjectionSql.IsHeld}
        """;

    /// <summary>A row that is made behind its goal's beginning does not know where in the log that was.</summary>
    public const string RememberBeginning = $"""
        UPDATE goals AS g SET first_seq = 1
        FROM {Named}
        WHERE g.tenant = e.tenant AND g.id = e.goal AND {ProjectionSql.IsHeld}
        """;

    public const string Discard = $"""
        UPDATE quarantined_goals AS q SET discarded_at = clock_timestamp()
        FROM {Named}
        WHERE q.tenant = e.tenant AND q.goal = e.goal AND q.discarded_at IS NULL AND {ProjectionSql.IsHeld}
        """;

    public const string ForgetGoals = $"""
        DELETE FROM goals AS g
        USING {Named}
        WHERE g.tenant = e.tenant AND g.id = e.goal AND {ProjectionSql.IsHeld}
        """;

    public const string LoadHeldBack = "SELECT q.shard, q.tenant, q.goal, q.discarded_at IS NOT NULL FROM quarantined_goals AS q WHERE q.shard = ANY($1) ORDER BY q.goal";

    public const string List = """
        SELECT q.goal, g.title, q.reason, q.quarantined_at
        FROM quarantined_goals AS q
        LEFT JOIN goals AS g ON g.tenant = q.tenant AND g.id = q.goal
        WHERE q.tenant = $1 AND q.discarded_at IS NULL
        ORDER BY q.quarantined_at DESC, q.goal DESC
        LIMIT $2
        """;
}
