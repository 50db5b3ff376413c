namespace Astra.Postgres.Agents;

internal static class AgentSql
{
    private const string Head = "name, COALESCE(class, name), description, idle_timeout, state_version, registered_at, state_saved_at";

    /// <summary>No row comes back when there is an agent of that name and another class.</summary>
    public const string Register = $"""
        INSERT INTO agents AS a (tenant, name, class, description, idle_timeout) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, name) DO UPDATE SET description = excluded.description, idle_timeout = COALESCE(excluded.idle_timeout, a.idle_timeout)
            WHERE excluded.class IS NULL OR excluded.class = COALESCE(a.class, a.name)
        RETURNING {Head}, ''::bytea
        """;

    public const string Create = """
        INSERT INTO agents (tenant, name, class, description, idle_timeout)
        SELECT $1, e.name, e.class, e.description, e.idle_timeout
        FROM unnest($2, $3, $4, $5) AS e (name, class, description, idle_timeout)
        ON CONFLICT (tenant, name) DO NOTHING
        """;

    public const string List = $"SELECT {Head}, ''::bytea FROM agents WHERE tenant = $1 AND name > $2 ORDER BY name LIMIT $3";

    public const string Load = $"SELECT {Head}, state FROM agents WHERE tenant = $1 AND name = ANY($2)";

    /// <summary>One that was a profile and was removed is one still: nobody else's code is waited for under its name.</summary>
    public const string FindClass = """
        SELECT COALESCE(a.class, a.name) FROM agents AS a WHERE a.tenant = $1 AND a.name = $2
        UNION ALL
        SELECT 'profile' FROM removed_profiles AS r
        WHERE r.tenant = $1 AND r.agent = $2 AND NOT EXISTS (SELECT FROM agents AS a WHERE a.tenant = $1 AND a.name = $2)
        """;

    /// <summary>The same lock as an append takes, in the same order. The statements behind it see what it has settled.</summary>
    public const string Lock = """
        SELECT s.shard, s.epoch
        FROM shards AS s
        JOIN unnest($1, $2) AS owner (shard, epoch) ON owner.shard = s.shard AND owner.epoch = s.epoch
        ORDER BY s.shard
        FOR SHARE OF s
        """;

    private const string IsHeld = "EXISTS (SELECT FROM shards AS s WHERE s.shard = $1 AND s.epoch = $2)";

    /// <summary>One row for each statement, many statements for each commit: joined to an unnest, a plan made while the
    /// table was small would read all of it for as long as the connection lives.</summary>
    public const string Save = $"""
        UPDATE agents SET state = $6, state_version = state_version + 1, state_saved_at = clock_timestamp()
        WHERE tenant = $3 AND name = $4 AND state_version = $5 AND {IsHeld}
        """;

    public const string Remove = $"""
        WITH gone AS (
            SELECT a.tenant, a.name, a.class IS NOT DISTINCT FROM 'profile' AS is_profile FROM agents AS a WHERE a.tenant = $3 AND a.name = $4 AND {IsHeld}
        ), kept AS (
            INSERT INTO removed_profiles (tenant, agent, removed_at) SELECT g.tenant, g.name, clock_timestamp() FROM gone AS g WHERE g.is_profile
            ON CONFLICT (tenant, agent) DO UPDATE SET removed_at = excluded.removed_at
        ), forgotten AS (
            DELETE FROM removed_profiles AS r USING gone AS g WHERE r.tenant = g.tenant AND r.agent = g.name AND NOT g.is_profile
        )
        DELETE FROM agents AS a USING gone AS g WHERE a.tenant = g.tenant AND a.name = g.name
        """;
}
