namespace Astra.Postgres.Money;

/// <summary>Budgets and what became of them. What tenants set goes as astra_app, what is drawn and settled as astra_journal.</summary>
internal static class BudgetSql
{
    /// <summary>Held to the end of the transaction, so that whoever sees a version has seen every change before it.</summary>
    public const string RaiseVersion = "UPDATE money_version SET version = version + 1";

    public const string Set = """
        INSERT INTO budgets (tenant, level, name, budget_window, limit_nanos, degrade_at_percent, degrade_to, set_by, set_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT v.version FROM money_version AS v))
        ON CONFLICT (tenant, level, name, budget_window) DO UPDATE SET
            limit_nanos = excluded.limit_nanos, degrade_at_percent = excluded.degrade_at_percent, degrade_to = excluded.degrade_to,
            set_by = excluded.set_by, set_at = excluded.set_at, version = excluded.version
        """;

    public const string Touch = """
        UPDATE budgets SET version = (SELECT v.version FROM money_version AS v) WHERE tenant = $1 AND level = $2 AND name = $3 AND budget_window = $4
        """;

    public const string CountOf = "SELECT count(*)::integer FROM budgets AS b WHERE b.tenant = $1 AND b.limit_nanos IS NOT NULL";

    public const string ReadVersion = "SELECT v.version FROM money_version AS v";

    public const string ReadChanges = """
        SELECT b.tenant, b.level, b.name, b.budget_window, b.limit_nanos, b.degrade_at_percent, b.degrade_to, b.set_by, b.set_at
        FROM budgets AS b
        WHERE b.version > $1
        """;

    /// <summary>$2 today. A ledger that has not been heard of in its time is dead, and what it holds may be lost.</summary>
    public const string List = """
        SELECT b.tenant, b.level, b.name, b.budget_window, b.limit_nanos, b.degrade_at_percent, b.degrade_to, b.set_by, b.set_at,
            COALESCE(p.spent_nanos, 0), COALESCE(held.alive, 0)::bigint, COALESCE(p.leased_nanos, 0) - COALESCE(held.alive, 0)::bigint
        FROM budgets AS b
        LEFT JOIN budget_periods AS p ON p.tenant = b.tenant AND p.level = b.level AND p.name = b.name AND p.budget_window = b.budget_window
            AND p.starts_on = CASE b.budget_window WHEN 1 THEN $2 WHEN 2 THEN date_trunc('month', $2::timestamp)::date ELSE date '1970-01-01' END
        LEFT JOIN LATERAL (
            SELECT sum(l.drawn_nanos) AS alive
            FROM budget_leases AS l
            JOIN budget_holders AS h ON h.holder = l.holder AND h.expires_at > clock_timestamp()
            WHERE l.tenant = p.tenant AND l.level = p.level AND l.name = p.name AND l.budget_window = p.budget_window AND l.starts_on = p.starts_on) AS held ON true
        WHERE b.tenant = $1 AND b.limit_nanos IS NOT NULL
        ORDER BY b.level, b.name COLLATE "C", b.budget_window
        """;

    public const string Register = """
        INSERT INTO budget_holders (holder, node, expires_at) VALUES ($1, $2, clock_timestamp() + $3)
        ON CONFLICT (holder) DO UPDATE SET expires_at = excluded.expires_at
        """;

    public const string Renew = "UPDATE budget_holders SET expires_at = clock_timestamp() + $2 WHERE holder = $1";

    /// <summary>Of ledgers that hold nothing, long after their time.</summary>
    public const string ForgetLeases = """
        DELETE FROM budget_leases AS l USING budget_holders AS h
        WHERE h.holder = l.holder AND h.expires_at < clock_timestamp() - interval '30 days' AND l.drawn_nanos = 0
        """;

    public const string ForgetHolders = """
        DELETE FROM budget_holders AS h
        WHERE h.expires_at < clock_timestamp() - interval '30 days' AND NOT EXISTS (SELECT FROM budget_leases AS l WHERE l.holder = h.holder)
        """;

    private const string Keys = "unnest($1::uuid[], $2::smallint[], $3::text[], $4::smallint[], $5::date[]) WITH ORDINALITY AS k (tenant, level, name, budget_window, starts_on, place)";

    /// <summary>What usage records show of a period.</summary>
    private const string Shown = """
        COALESCE((
            SELECT sum(u.cost_nanos)
            FROM model_usage AS u
            WHERE u.at >= k.starts_on::timestamp AT TIME ZONE 'UTC'
              AND (k.budget_window <> 1 OR u.at < (k.starts_on + 1)::timestamp AT TIME ZONE 'UTC')
              AND (k.budget_window <> 2 OR u.at < (k.starts_on + interval '1 month') AT TIME ZONE 'UTC')
              AND (k.level = 1 OR u.tenant = k.tenant)
              AND CASE k.level WHEN 3 THEN u.agent = k.name WHEN 4 THEN u.goal::text = k.name WHEN 5 THEN u.task::text = k.name WHEN 6 THEN u.api_key::text = k.name ELSE true END), 0)
        """;

    /// <summary>Of a budget that was removed and is set again: what was spent without it counts too.</summary>
    public const string Recount = $"""
        UPDATE budget_periods AS p SET spent_nanos = GREATEST(p.spent_nanos, {Shown})
        FROM {Keys}
        JOIN budgets AS b USING (tenant, level, name, budget_window)
        WHERE p.tenant = k.tenant AND p.level = k.level AND p.name = k.name AND p.budget_window = k.budget_window AND p.starts_on = k.starts_on AND b.limit_nanos IS NULL
        """;

    /// <summary>A period begins with what usage records show of it: a budget that is set at noon counts the morning too.</summary>
    public const string Open = $"""
        INSERT INTO budget_periods (tenant, level, name, budget_window, starts_on, spent_nanos)
        SELECT k.tenant, k.level, k.name, k.budget_window, k.starts_on, {Shown}
        FROM {Keys}
        WHERE NOT EXISTS (
            SELECT FROM budget_periods AS p
            WHERE p.tenant = k.tenant AND p.level = k.level AND p.name = k.name AND p.budget_window = k.budget_window AND p.starts_on = k.starts_on)
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Locks the periods in the order of their keys, whoever draws, so that two who draw from the same ones never wait for
    /// each other in a circle. What the row says is read after the lock was got.</summary>
    public const string Lock = $"""
        SELECT k.place::integer, p.spent_nanos, p.leased_nanos, p.told_percent
        FROM budget_periods AS p
        JOIN {Keys} USING (tenant, level, name, budget_window, starts_on)
        ORDER BY p.tenant, p.level, p.name COLLATE "C", p.budget_window, p.starts_on
        FOR UPDATE OF p
        """;

    /// <summary>$6 the ledger. In a statement of its own: only under the lock is what others hold what it was.</summary>
    public const string ReadLeases = $"""
        SELECT k.place::integer, b.limit_nanos, COALESCE(mine.drawn_nanos, 0), COALESCE(mine.settled_nanos, 0), (
            SELECT count(*)
            FROM budget_leases AS l
            JOIN budget_holders AS h ON h.holder = l.holder AND h.expires_at > clock_timestamp()
            WHERE l.tenant = k.tenant AND l.level = k.level AND l.name = k.name AND l.budget_window = k.budget_window AND l.starts_on = k.starts_on
              AND l.holder <> $6 AND l.drawn_nanos <> 0)::integer
        FROM {Keys}
        JOIN budgets AS b ON b.tenant = k.tenant AND b.level = k.level AND b.name = k.name AND b.budget_window = k.budget_window
        LEFT JOIN budget_leases AS mine ON mine.tenant = k.tenant AND mine.level = k.level AND mine.name = k.name AND mine.budget_window = k.budget_window
            AND mine.starts_on = k.starts_on AND mine.holder = $6
        """;

    /// <summary>$6 spent more, $7 leased more. What leases more than there is touches no row; then nothing of the draw is written.</summary>
    public const string Draw = """
        UPDATE budget_periods AS p
        SET spent_nanos = p.spent_nanos + k.spent, leased_nanos = p.leased_nanos + k.leased
        FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::smallint[], $5::date[], $6::bigint[], $7::bigint[], $8::bigint[])
            AS k (tenant, level, name, budget_window, starts_on, spent, leased, drawn)
        JOIN budgets AS b USING (tenant, level, name, budget_window)
        WHERE p.tenant = k.tenant AND p.level = k.level AND p.name = k.name AND p.budget_window = k.budget_window AND p.starts_on = k.starts_on
          AND (k.drawn <= 0 OR b.limit_nanos IS NULL OR p.spent_nanos + k.spent + p.leased_nanos + k.leased <= b.limit_nanos)
        """;

    public const string Write = """
        INSERT INTO budget_leases (tenant, level, name, budget_window, starts_on, drawn_nanos, settled_nanos, holder)
        SELECT k.*, $8 FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::smallint[], $5::date[], $6::bigint[], $7::bigint[]) AS k
        ON CONFLICT (tenant, level, name, budget_window, starts_on, holder) DO UPDATE SET
            drawn_nanos = excluded.drawn_nanos, settled_nanos = excluded.settled_nanos
        """;

    public const string CloseLeases = "DELETE FROM budget_leases WHERE holder = $1 AND drawn_nanos = 0";
    public const string CloseHolder = "DELETE FROM budget_holders AS h WHERE h.holder = $1 AND NOT EXISTS (SELECT FROM budget_leases AS l WHERE l.holder = h.holder)";

    /// <summary>Under the locks of the periods, as every change of a lease.</summary>
    public const string LockOfBudget = """
        SELECT p.starts_on FROM budget_periods AS p
        WHERE p.tenant = $1 AND p.level = $2 AND p.name = $3 AND p.budget_window = $4
        ORDER BY p.starts_on
        FOR UPDATE
        """;

    public const string Forgive = """
        WITH dead AS (
            UPDATE budget_leases AS l SET drawn_nanos = 0
            FROM budget_holders AS h, budget_leases AS o
            WHERE l.tenant = $1 AND l.level = $2 AND l.name = $3 AND l.budget_window = $4
              AND h.holder = l.holder AND h.expires_at <= clock_timestamp()
              AND (o.tenant, o.level, o.name, o.budget_window, o.starts_on, o.holder) = (l.tenant, l.level, l.name, l.budget_window, l.starts_on, l.holder)
              AND o.drawn_nanos <> 0
            RETURNING l.starts_on, o.drawn_nanos AS drawn
        ), given AS (
            UPDATE budget_periods AS p SET leased_nanos = p.leased_nanos - d.drawn
            FROM (SELECT dead.starts_on, sum(dead.drawn)::bigint AS drawn FROM dead GROUP BY dead.starts_on) AS d
            WHERE p.tenant = $1 AND p.level = $2 AND p.name = $3 AND p.budget_window = $4 AND p.starts_on = d.starts_on
            RETURNING d.drawn
        )
        SELECT COALESCE(sum(given.drawn), 0)::bigint FROM given
        """;

    public const string Raise = """
        UPDATE budget_periods SET told_percent = $6
        WHERE tenant = $1 AND level = $2 AND name = $3 AND budget_window = $4 AND starts_on = $5 AND told_percent < $6
        """;
}
