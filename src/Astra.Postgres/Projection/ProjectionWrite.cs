using Astra.Kernel;
using Astra.Kernel.Tasks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Projection;

/// <summary>One batch of rows on its way: which statements it takes, and what the database answered.</summary>
internal sealed class ProjectionWrite
{
    private readonly short[] _shards;
    private readonly long[] _epochs;
    private readonly long[] _watermarks;
    private readonly List<(ShardId Shard, GoalRow Row)> _goals = [];
    private readonly List<(ShardId Shard, TaskRow Row)> _added = [];
    private readonly List<(ShardId Shard, TaskRow Row)> _moved = [];
    private readonly List<(ShardId Shard, TaskRow Row)> _tasks = [];
    private readonly List<(ShardId Shard, RemovedTask Row)> _removed = [];
    private readonly List<(ShardId Shard, TenantId Tenant, GoalId Goal)> _released = [];
    private readonly List<(ShardId Shard, TenantId Tenant, GoalId Goal)> _discarded = [];

    /// <summary>Every goal the batch is about, with the shard that wrote it.</summary>
    private readonly Dictionary<(TenantId Tenant, GoalId Goal), ShardId> _about = [];

    private readonly Dictionary<(TenantId Tenant, GoalId Goal), string> _refused = [];

    public ProjectionWrite(IReadOnlyList<ShardProjection> batch)
    {
        _shards = batch.Select(shard => (short)shard.Shard.Value).ToArray();
        _epochs = batch.Select(shard => shard.Epoch.Value).ToArray();
        _watermarks = batch.Select(shard => shard.Watermark).ToArray();
        foreach (var shard in batch)
        {
            foreach (var goal in shard.Goals)
            {
                About(shard.Shard, goal.Tenant, goal.Id, StorableText.IsStorable(goal));
                _goals.Add((shard.Shard, goal));
            }
            for (var i = 0; i < shard.Tasks.Count; i++)
            {
                var task = shard.Tasks[i];
                About(shard.Shard, task.Tenant, task.Goal, StorableText.IsStorable(task));
                WayOf(shard, i).Add((shard.Shard, task));
            }
            foreach (var removed in shard.Removed)
                _removed.Add((shard.Shard, removed));
            _released.AddRange(shard.Released.Select(goal => (shard.Shard, goal.Tenant, goal.Goal)));
            _discarded.AddRange(shard.Discarded.Select(goal => (shard.Shard, goal.Tenant, goal.Goal)));
        }
        if (_refused.Count == 0)
            return;
        _released.RemoveAll(goal => _refused.ContainsKey((goal.Tenant, goal.Goal)));
        _goals.RemoveAll(goal => _refused.ContainsKey((goal.Row.Tenant, goal.Row.Id)));
        foreach (var way in (List<(ShardId Shard, TaskRow Row)>[])[_added, _moved, _tasks])
            way.RemoveAll(task => _refused.ContainsKey((task.Row.Tenant, task.Row.Goal)));
    }

    /// <summary>A death is a change of everything, so only whole rows tell of one.</summary>
    public bool HasDeaths => _tasks.Exists(task => IsDeath(task.Row));

    public HashSet<ShardId> Held { get; } = [];
    public List<QuarantinedGoal> Quarantined { get; } = [];

    public TenantId TenantOf(GoalId goal) => _about.Keys.First(about => about.Goal == goal).Tenant;

    /// <summary>Refuses a goal of the batch by itself.</summary>
    public void Refuse(TenantId tenant, GoalId goal, string reason)
    {
        _refused[(tenant, goal)] = reason;
        _released.RemoveAll(row => row.Goal == goal && row.Tenant == tenant);
        _goals.RemoveAll(row => row.Row.Id == goal && row.Row.Tenant == tenant);
        foreach (var way in (List<(ShardId Shard, TaskRow Row)>[])[_added, _moved, _tasks])
            way.RemoveAll(row => row.Row.Goal == goal && row.Row.Tenant == tenant);
    }

    public async ValueTask ExecuteAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, bool advance, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        Add(batch, ProjectionSql.Lock);
        if (_released.Count > 0)
        {
            AddNamed(batch, QuarantineSql.Release, _released);
            AddNamed(batch, QuarantineSql.ForgetTasks, _released);
        }
        if (_discarded.Count > 0)
        {
            AddNamed(batch, QuarantineSql.Discard, _discarded);
            AddNamed(batch, QuarantineSql.ForgetTasks, _discarded);
            AddNamed(batch, QuarantineSql.ForgetGoals, _discarded);
        }
        if (_refused.Count > 0)
            AddRefused(Add(batch, ProjectionSql.Quarantine));
        if (_removed.Count > 0)
            AddRemoved(Add(batch, ProjectionSql.RemoveTasks));
        if (_goals.Count > 0)
            GoalRows.AddTo(Add(batch, ProjectionSql.UpsertGoals), _goals);
        if (_released.Count > 0)
            AddNamed(batch, QuarantineSql.RememberBeginning, _released);
        AddUnknown(batch);
        if (_added.Count > 0)
            TaskRows.AddAddedTo(Add(batch, ProjectionSql.AddTasks), _added);
        if (_moved.Count > 0)
            TaskRows.AddMovedTo(Add(batch, ProjectionSql.MoveTasks), _moved);
        if (_tasks.Count > 0)
            TaskRows.AddTo(Add(batch, ProjectionSql.UpsertTasks), _tasks);
        if (HasDeaths)
            AddDeaths(Add(batch, ProjectionSql.AddDeaths));
        if (advance)
            Add(batch, ProjectionSql.AdvanceWatermarks).Column(_watermarks, NpgsqlDbType.Bigint);
        var report = new NpgsqlBatchCommand(ProjectionSql.ReadQuarantined);
        report.Parameters
            .Column(_about.Keys.Select(goal => goal.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(_about.Keys.Select(goal => goal.Goal.Value).ToArray(), NpgsqlDbType.Uuid);
        batch.BatchCommands.Add(report);

        // Only the first and the last statement have rows to read.
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            Held.Add(new ShardId(reader.GetInt16(0)));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            Quarantined.Add(new QuarantinedGoal(new GoalId(reader.GetGuid(0)), reader.GetString(1)));
    }

    private List<(ShardId Shard, TaskRow Row)> WayOf(ShardProjection shard, int index) =>
        (shard.Changes.Count == shard.Tasks.Count ? shard.Changes[index] : TaskRowChange.Whole) switch
        {
            TaskRowChange.Added => _added,
            TaskRowChange.Moved => _moved,
            _ => _tasks,
        };

    private NpgsqlParameterCollection Add(NpgsqlBatch batch, string sql)
    {
        var command = new NpgsqlBatchCommand(sql);
        batch.BatchCommands.Add(command);
        return command.Parameters.Column(_shards, NpgsqlDbType.Smallint).Column(_epochs, NpgsqlDbType.Bigint);
    }

    private void AddNamed(NpgsqlBatch batch, string sql, List<(ShardId Shard, TenantId Tenant, GoalId Goal)> goals) => Add(batch, sql)
        .Column(goals.Select(goal => (short)goal.Shard.Value).ToArray(), NpgsqlDbType.Smallint)
        .Column(goals.Select(goal => goal.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
        .Column(goals.Select(goal => goal.Goal.Value).ToArray(), NpgsqlDbType.Uuid);

    private void AddRefused(NpgsqlParameterCollection parameters) => parameters
        .Column(_refused.Keys.Select(goal => (short)_about[goal].Value).ToArray(), NpgsqlDbType.Smallint)
        .Column(_refused.Keys.Select(goal => goal.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
        .Column(_refused.Keys.Select(goal => goal.Goal.Value).ToArray(), NpgsqlDbType.Uuid)
        .Column(_refused.Values.ToArray(), NpgsqlDbType.Text);

    private void AddRemoved(NpgsqlParameterCollection parameters) => parameters
        .Column(_removed.Select(removed => (short)removed.Shard.Value).ToArray(), NpgsqlDbType.Smallint)
        .Column(_removed.Select(removed => removed.Row.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
        .Column(_removed.Select(removed => removed.Row.Task.Value).ToArray(), NpgsqlDbType.Uuid);

    /// <summary>What lacks a reason or a time is no death: the table of tasks is about to refuse it.</summary>
    private static bool IsDeath(TaskRow task) => task is { State: TaskState.Dead, Failure: not null, EndedAt: not null };

    private void AddDeaths(NpgsqlParameterCollection parameters)
    {
        var dead = _tasks.Where(task => IsDeath(task.Row)).ToArray();
        parameters
            .Column(dead.Select(task => (short)task.Shard.Value).ToArray(), NpgsqlDbType.Smallint)
            .Column(dead.Select(task => task.Row.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(dead.Select(task => task.Row.Goal.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(dead.Select(task => task.Row.Id.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(dead.Select(task => task.Row.Attempt).ToArray(), NpgsqlDbType.Integer)
            .Column(dead.Select(task => task.Row.EndedAt!.Value.ToUniversalTime()).ToArray(), NpgsqlDbType.TimestampTz)
            .Column(dead.Select(task => task.Row.Spec.Kind).ToArray(), NpgsqlDbType.Text)
            .Column(dead.Select(task => task.Row.Spec.Executor).ToArray(), NpgsqlDbType.Text)
            .Column(dead.Select(task => task.Row.Failure!.Fingerprint).ToArray(), NpgsqlDbType.Text)
            .Column(dead.Select(task => task.Row.Failure!.Reason).ToArray(), NpgsqlDbType.Text);
    }

    /// <summary>Rare: a task changes its goal's counts, so their rows nearly always travel together.</summary>
    private void AddUnknown(NpgsqlBatch batch)
    {
        var withRow = _goals.Select(goal => (goal.Row.Tenant, goal.Row.Id)).ToHashSet();
        var without = _about.Keys.Where(goal => !withRow.Contains(goal) && !_refused.ContainsKey(goal)).ToArray();
        if (without.Length == 0)
            return;
        Add(batch, ProjectionSql.QuarantineUnknown)
            .Column(without.Select(goal => (short)_about[goal].Value).ToArray(), NpgsqlDbType.Smallint)
            .Column(without.Select(goal => goal.Tenant.Value).ToArray(), NpgsqlDbType.Uuid)
            .Column(without.Select(goal => goal.Goal.Value).ToArray(), NpgsqlDbType.Uuid);
    }

    private void About(ShardId shard, TenantId tenant, GoalId goal, bool isStorable)
    {
        _about[(tenant, goal)] = shard;
        if (!isStorable)
            _refused[(tenant, goal)] = StorableText.Refusal;
    }
}
