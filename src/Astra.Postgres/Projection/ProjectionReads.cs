using System.Data;
using Astra.Kernel;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Projection;

/// <summary>Reads of the rows: whole shards as the journal's role when a node starts, everything else as one tenant.</summary>
internal sealed class ProjectionReads
{
    private const string LoadWatermarks = "SELECT shard, watermark FROM shard_watermarks WHERE shard = ANY($1)";

    private const string LoadActiveGoals = $"""
        SELECT {GoalRows.Columns}
        FROM goals AS g
        WHERE g.state = 1 AND g.shard = ANY($1)
          AND NOT EXISTS (SELECT FROM quarantined_goals AS q WHERE q.tenant = g.tenant AND q.goal = g.id)
        """;

    private const string LoadTasksOfActiveGoals = $"""
        SELECT {TaskRows.Columns}
        FROM goals AS g
        JOIN tasks AS t ON t.tenant = g.tenant AND t.goal = g.id
        WHERE g.state = 1 AND g.shard = ANY($1)
          AND NOT EXISTS (SELECT FROM quarantined_goals AS q WHERE q.tenant = g.tenant AND q.goal = g.id)
        """;

    private const string LoadGoal = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.id = $2";
    private const string LoadTasks = $"SELECT {TaskRows.Columns} FROM tasks AS t WHERE t.tenant = $1 AND t.goal = $2 ORDER BY t.id";
    private const string FindByKey = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.idempotency_key = ANY($2)";
    private const string FindGoalOfTask = "SELECT goal FROM tasks WHERE tenant = $1 AND id = $2";

    // One text for each kind of list, because each has an index of its own and a plan is made once for a text.
    private const string Page = "g.id < COALESCE($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff') ORDER BY g.id DESC LIMIT $3";
    private const string ListAll = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND {Page}";
    private const string ListActive = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.state = 1 AND {Page}";
    private const string ListCompleted = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.state = 2 AND {Page}";
    private const string ListTroubled = $"SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.state IN (3, 4) AND g.state = $4 AND {Page}";

    private const string ListOfAgent = $"""
        SELECT {GoalRows.Columns} FROM goals AS g WHERE g.tenant = $1 AND g.agent = $5 AND ($4 IS NULL OR g.state = $4) AND {Page}
        """;

    // A parent is the first of a goal's extras: the parent's id behind one byte, its tag. The index is over that.
    private const string ListOfParent = $"""
        SELECT {GoalRows.Columns}
        FROM goals AS g
        WHERE g.tenant = $1 AND substring(g.extras FROM 1 FOR 1) = '\x01'::bytea AND substring(g.extras FROM 1 FOR 17) = $5
          AND ($4 IS NULL OR g.state = $4) AND {Page}
        """;

    private readonly Database _database;
    private readonly Gathered<(TenantId Tenant, string Key), GoalRow> _submissions;

    public ProjectionReads(Database database)
    {
        _database = database;
        _submissions = new Gathered<(TenantId Tenant, string Key), GoalRow>(FindByIdempotencyKeysAsync);
    }

    public async ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken)
    {
        var numbers = shards.Select(shard => (short)shard.Value).ToArray();
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        // One snapshot for the three statements: rows and watermark have to belong together.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);

        var watermarks = new Dictionary<int, long>();
        await foreach (var reader in RowsAsync(LoadWatermarks))
            watermarks[reader.GetInt16(0)] = reader.GetInt64(1);
        var goals = new List<GoalRow>();
        await foreach (var reader in RowsAsync(LoadActiveGoals))
            goals.Add(GoalRows.Read(reader));
        var tasks = goals.ToDictionary(goal => (goal.Tenant, goal.Id), _ => new List<TaskRow>());
        await foreach (var reader in RowsAsync(LoadTasksOfActiveGoals))
        {
            var task = TaskRows.Read(reader);
            tasks[(task.Tenant, task.Goal)].Add(task);
        }

        var heldBack = new List<(int Shard, HeldBack Goal)>();
        await foreach (var reader in RowsAsync(QuarantineSql.LoadHeldBack))
            heldBack.Add((reader.GetInt16(0), new HeldBack(new TenantId(reader.GetGuid(1)), new GoalId(reader.GetGuid(2)), reader.GetBoolean(3))));
        var heldBackOf = heldBack.ToLookup(held => held.Shard, held => held.Goal);

        // Sorted here and not by the database: a million rows with their payloads would be sorted on disk.
        var snapshots = goals.OrderBy(goal => goal.Id.Value).ToLookup(goal => goal.Id.Shard, goal =>
        {
            var own = tasks[(goal.Tenant, goal.Id)];
            own.Sort((left, right) => left.Id.Value.CompareTo(right.Id.Value));
            return new GoalSnapshot(goal, own);
        });
        return shards.Select(shard => new ShardSnapshot(shard, watermarks[shard.Value], snapshots[shard].ToArray()) { HeldBack = heldBackOf[shard.Value].ToArray() }).ToArray();

        async IAsyncEnumerable<NpgsqlDataReader> RowsAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            command.Parameters.Column(numbers, NpgsqlDbType.Smallint);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                yield return reader;
        }
    }

    public async ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, LoadGoal, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(goal.Value);
        query.Then(LoadTasks).Parameters.Uuid(tenant.Value).Uuid(goal.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
            return null;
        var row = GoalRows.Read(reader);
        await reader.NextResultAsync(cancellationToken);
        return new GoalSnapshot(row, await ReadAllAsync(reader, TaskRows.Read, cancellationToken));
    }

    public async ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, LoadGoal, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(goal.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? GoalRows.Read(reader) : null;
    }

    public async ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken) =>
        await _submissions.AskAsync((tenant, idempotencyKey), cancellationToken);

    private async Task<IReadOnlyDictionary<(TenantId Tenant, string Key), GoalRow>> FindByIdempotencyKeysAsync(IReadOnlyCollection<(TenantId Tenant, string Key)> asked)
    {
        var found = new Dictionary<(TenantId Tenant, string Key), GoalRow>();
        foreach (var ofTenant in asked.GroupBy(question => question.Tenant, question => question.Key))
        {
            await using var query = await TenantQuery.OpenAsync(_database, ofTenant.Key, FindByKey, CancellationToken.None);
            query.Parameters.Uuid(ofTenant.Key.Value).Column<string>([.. ofTenant], NpgsqlDbType.Text);
            await using var reader = await query.ExecuteAsync(CancellationToken.None);
            while (await reader.ReadAsync())
            {
                var goal = GoalRows.Read(reader);
                found[(goal.Tenant, goal.IdempotencyKey!)] = goal;
            }
        }
        return found;
    }

    public async ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, FindGoalOfTask, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(task.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? new GoalId(reader.GetGuid(0)) : null;
    }

    public async ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(
        TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken)
    {
        var sql = (agent, state) switch
        {
            (not null, _) => ListOfAgent,
            (_, null) => ListAll,
            (_, GoalState.Active) => ListActive,
            (_, GoalState.Completed) => ListCompleted,
            _ => ListTroubled,
        };
        await using var query = await TenantQuery.OpenAsync(_database, tenant, sql, cancellationToken);
        query.Parameters.Uuid(tenant.Value).OptionalUuid(after?.Value).Integer(countMax);
        if (sql is ListTroubled or ListOfAgent)
            query.Parameters.OptionalSmallint((short?)state);
        if (sql is ListOfAgent)
            query.Parameters.Text(agent!);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ReadAllAsync(reader, GoalRows.Read, cancellationToken);
    }

    public async ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(
        TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, ListOfParent, cancellationToken);
        query.Parameters.Uuid(tenant.Value).OptionalUuid(after?.Value).Integer(countMax).OptionalSmallint((short?)state)
            .Bytes(ExtrasCodec.Encode(new GoalExtras { Parent = parent }));
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await ReadAllAsync(reader, GoalRows.Read, cancellationToken);
    }

    internal static async ValueTask<IReadOnlyList<T>> ReadAllAsync<T>(
        NpgsqlDataReader reader, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(read(reader));
        return rows;
    }
}
