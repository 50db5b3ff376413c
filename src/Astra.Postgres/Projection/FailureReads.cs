using Astra.Kernel;
using Astra.Kernel.Tasks;
using Npgsql;

namespace Astra.Postgres.Projection;

/// <summary>Reads for people's desks, as one tenant: dead letters, the effect ledger, approvals.</summary>
internal sealed class FailureReads(Database database)
{
    // One text for each kind of list, because each has an index of its own and a plan is made once for a text.
    private const string Select = $"SELECT {TaskRows.Columns}, g.title, g.agent FROM tasks AS t JOIN goals AS g ON g.tenant = t.tenant AND g.id = t.goal";
    private const string Page = "t.id < COALESCE($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY t.id DESC LIMIT $3";
    private const string ListDead = $"{Select} WHERE t.tenant = $1 AND t.is_dead AND {Page}";
    private const string ListDeadOfCause = $"{Select} WHERE t.tenant = $1 AND t.is_dead AND t.failure_fingerprint = $4 AND {Page}";
    private const string ListUnknownEffects = $"{Select} WHERE t.tenant = $1 AND t.failure_kind = 4 AND t.state = 1 AND {Page}";

    private const string ListApprovals = $"{Select} WHERE t.tenant = $1 AND t.asks_approval AND {Page}";

    private const string ListGroups = """
        SELECT t.failure_fingerprint, count(*)::integer, min(t.ended_at), max(t.ended_at),
            array_agg(DISTINCT t.kind COLLATE "C" ORDER BY t.kind COLLATE "C"), array_agg(DISTINCT t.executor COLLATE "C" ORDER BY t.executor COLLATE "C"),
            (array_agg(t.failure_reason ORDER BY t.ended_at DESC, t.id DESC))[1], (array_agg(t.id ORDER BY t.ended_at DESC, t.id DESC))[1]
        FROM tasks AS t
        WHERE t.tenant = $1 AND t.is_dead
        GROUP BY t.failure_fingerprint
        ORDER BY max(t.ended_at) DESC, t.failure_fingerprint COLLATE "C"
        LIMIT $2
        """;

    private const string ListRates = """
        SELECT date_trunc('hour', d.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS hour, d.kind, d.executor, count(*)::integer
        FROM task_deaths AS d
        WHERE d.tenant = $1 AND d.at >= $2
        GROUP BY 1, 2, 3
        ORDER BY 1 DESC, 4 DESC, d.kind COLLATE "C", d.executor COLLATE "C"
        LIMIT $3
        """;

    public ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(
        TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListAsync(fingerprint is null ? ListDead : ListDeadOfCause, tenant, fingerprint, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListAsync(ListUnknownEffects, tenant, null, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListAsync(ListApprovals, tenant, null, after, countMax, cancellationToken);

    public async ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(database, tenant, ListGroups, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ProjectionReads.ReadAllAsync(reader, ReadGroup, cancellationToken);
    }

    public async ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(database, tenant, QuarantineSql.List, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ProjectionReads.ReadAllAsync(
            reader, row => new QuarantineRow(new GoalId(row.GetGuid(0)), row.OptionalText(1), row.GetString(2), row.GetFieldValue<DateTimeOffset>(3)), cancellationToken);
    }

    public async ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(database, tenant, ListRates, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Timestamp(since).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ProjectionReads.ReadAllAsync(
            reader, row => new DeathRate(row.GetFieldValue<DateTimeOffset>(0), row.GetString(1), row.GetString(2), row.GetInt32(3)), cancellationToken);
    }

    private async ValueTask<IReadOnlyList<TitledTask>> ListAsync(
        string sql, TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(database, tenant, sql, cancellationToken);
        query.Parameters.Uuid(tenant.Value).OptionalUuid(after?.Value).Integer(countMax);
        if (fingerprint is not null)
            query.Parameters.Text(fingerprint);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ProjectionReads.ReadAllAsync(reader, ReadTitled, cancellationToken);
    }

    private static TitledTask ReadTitled(NpgsqlDataReader reader) =>
        new(TaskRows.Read(reader), reader.GetString(TaskRows.ColumnCount), reader.OptionalText(TaskRows.ColumnCount + 1));

    private static DeadGroup ReadGroup(NpgsqlDataReader reader) => new(
        reader.GetString(0), reader.GetInt32(1), reader.GetFieldValue<DateTimeOffset>(2), reader.GetFieldValue<DateTimeOffset>(3),
        reader.GetFieldValue<string[]>(4), reader.GetFieldValue<string[]>(5), reader.GetString(6), new TaskId(reader.GetGuid(7)));
}
