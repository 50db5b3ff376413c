using Astra.Kernel.Tasks;

namespace Astra.Kernel.InMemory;

/// <summary>The rows people query, in memory.</summary>
public sealed class InMemoryProjection : IProjection
{
    private readonly Lock _transaction;
    private readonly InMemoryShardLeases _leases;

    private readonly long[] _watermarks = new long[ShardId.Count];
    private readonly SortedDictionary<(Guid Tenant, Guid Id), StoredGoal> _goals = [];
    private readonly Dictionary<(TenantId, TaskId), GoalId> _goalOfTask = [];
    private readonly Dictionary<(TenantId, string), GoalId> _idempotencyKeys = [];

    /// <summary>By task and instant: a row that is written twice tells of one death.</summary>
    private readonly Dictionary<(TenantId, TaskId, DateTimeOffset At), TaskRow> _deaths = [];

    /// <summary>Tasks of a refused goal may be missing from the tables, so it stays out until somebody has looked.</summary>
    private readonly Dictionary<GoalId, Refused> _quarantine = [];

    internal InMemoryProjection(Lock transaction, InMemoryShardLeases leases)
    {
        _transaction = transaction;
        _leases = leases;
    }

    public ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<ProjectionOutcome>>(batch.Select(Project).ToArray());
    }

    public ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            var active = _goals.Values
                .Where(goal => goal.Row.State == GoalState.Active && !_quarantine.ContainsKey(goal.Row.Id))
                .OrderBy(goal => goal.Row.Id.Value)
                .ToLookup(goal => goal.Row.Id.Shard, goal => goal.Snapshot);
            return ValueTask.FromResult<IReadOnlyList<ShardSnapshot>>(shards
                .Select(shard => new ShardSnapshot(shard, _watermarks[shard.Value], active[shard].ToArray())
                {
                    HeldBack = [.. _quarantine.Where(held => held.Key.Shard == shard).OrderBy(held => held.Key.Value).Select(held => new HeldBack(held.Value.Tenant, held.Key, held.Value.IsDiscarded))],
                })
                .ToArray());
        }
    }

    public ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult(_goals.TryGetValue((tenant.Value, goal.Value), out var stored) ? stored.Snapshot : null);
    }

    public ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult(_goals.TryGetValue((tenant.Value, goal.Value), out var stored) ? stored.Row : null);
    }

    public ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult(_idempotencyKeys.TryGetValue((tenant, idempotencyKey), out var goal) ? _goals[(tenant.Value, goal.Value)].Row : null);
    }

    public ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
            return ValueTask.FromResult<GoalId?>(_goalOfTask.TryGetValue((tenant, task), out var goal) ? goal : null);
    }

    public ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(
        TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        ListGoalsAsync(tenant, goal => (state is null || goal.State == state) && (agent is null || goal.Agent == agent), after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(
        TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        ListGoalsAsync(tenant, goal => goal.Extras.Parent == parent && (state is null || goal.State == state), after, countMax, cancellationToken);

    private ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(TenantId tenant, Func<GoalRow, bool> isWanted, GoalId? after, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<GoalRow>>(_goals.Values
                .Select(goal => goal.Row)
                .Where(goal => goal.Tenant == tenant && isWanted(goal) && (after is not { } last || goal.Id.Value.CompareTo(last.Value) < 0))
                .OrderByDescending(goal => goal.Id.Value)
                .Take(countMax)
                .ToArray());
        }
    }

    public ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListTasksAsync(tenant, task => task.State == TaskState.Dead && (fingerprint is null || task.Failure!.Fingerprint == fingerprint), after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListTasksAsync(tenant, task => task is { State: TaskState.Pending, Failure.Kind: FailureKind.UnknownEffect }, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        ListTasksAsync(tenant, task => task.AwaitsApproval, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<DeadGroup>>(_goals.Values
                .Where(goal => goal.Row.Tenant == tenant)
                .SelectMany(goal => goal.Tasks.Values)
                .Where(task => task.State == TaskState.Dead)
                .GroupBy(task => task.Failure!.Fingerprint, StringComparer.Ordinal)
                .Select(GroupOf)
                .OrderByDescending(group => group.LastAt).ThenBy(group => group.Fingerprint, StringComparer.Ordinal)
                .Take(countMax)
                .ToArray());
        }
    }

    public ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<DeathRate>>(_deaths.Values
                .Where(task => task.Tenant == tenant && task.EndedAt >= since)
                .GroupBy(task => (Hour: HourOf(task.EndedAt!.Value), task.Spec.Kind, task.Spec.Executor))
                .Select(group => new DeathRate(group.Key.Hour, group.Key.Kind, group.Key.Executor, group.Count()))
                .OrderByDescending(rate => rate.Hour).ThenByDescending(rate => rate.Count)
                .ThenBy(rate => rate.Kind, StringComparer.Ordinal).ThenBy(rate => rate.Executor, StringComparer.Ordinal)
                .Take(countMax)
                .ToArray());
        }
    }

    private static DateTimeOffset HourOf(DateTimeOffset at) => new(at.UtcTicks - at.UtcTicks % TimeSpan.TicksPerHour, TimeSpan.Zero);

    private static DeadGroup GroupOf(IGrouping<string, TaskRow> group)
    {
        var sample = group.OrderByDescending(task => task.EndedAt).ThenByDescending(task => task.Id.Value).First();
        return new DeadGroup(
            group.Key, group.Count(), group.Min(task => task.EndedAt!.Value), sample.EndedAt!.Value,
            [.. group.Select(task => task.Spec.Kind).Distinct().Order(StringComparer.Ordinal)], [.. group.Select(task => task.Spec.Executor).Distinct().Order(StringComparer.Ordinal)],
            sample.Failure!.Reason, sample.Id);
    }

    private ValueTask<IReadOnlyList<TitledTask>> ListTasksAsync(TenantId tenant, Func<TaskRow, bool> isAsked, TaskId? after, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<TitledTask>>(_goals.Values
                .Where(goal => goal.Row.Tenant == tenant)
                .SelectMany(goal => goal.Tasks.Values.Select(task => new TitledTask(task, goal.Row.Title, goal.Row.Agent)))
                .Where(listed => isAsked(listed.Task) && (after is not { } last || listed.Task.Id.Value.CompareTo(last.Value) < 0))
                .OrderByDescending(listed => listed.Task.Id.Value)
                .Take(countMax)
                .ToArray());
        }
    }

    private ProjectionOutcome Project(ShardProjection shard)
    {
        if (!_leases.IsCurrent(shard.Shard, shard.Epoch) && !Mutants.RowsUnfenced)
            return new ProjectionOutcome(IsFenced: true, []);

        foreach (var removed in shard.Removed)
            Remove(removed);

        var quarantined = new List<QuarantinedGoal>();
        var released = shard.Released.Select(goal => goal.Goal).ToHashSet();
        var goals = shard.Goals.ToDictionary(goal => goal.Id);
        var tasks = shard.Tasks.ToLookup(task => task.Goal);
        foreach (var id in shard.Goals.Select(goal => goal.Id).Concat(tasks.Select(group => group.Key)).Distinct())
        {
            var held = released.Contains(id) ? null : _quarantine.GetValueOrDefault(id);
            var refusal = held?.Reason ?? Refusal(goals.GetValueOrDefault(id), tasks[id]);
            if (refusal is null)
            {
                if (released.Contains(id) && _quarantine.Remove(id, out var before))
                    Forget(before.Tenant, id);
                Write(goals.GetValueOrDefault(id), tasks[id]);
            }
            else
            {
                _quarantine[id] = held ?? new Refused(goals.GetValueOrDefault(id)?.Tenant ?? tasks[id].First().Tenant, refusal, _leases.Now, IsDiscarded: false);
                quarantined.Add(new QuarantinedGoal(id, refusal));
            }
        }
        foreach (var (tenant, id) in shard.Discarded)
        {
            if (!_quarantine.TryGetValue(id, out var held))
                continue;
            _quarantine[id] = held with { IsDiscarded = true };
            Forget(tenant, id);
            if (_goals.Remove((tenant.Value, id.Value), out var gone) && gone.Row.IdempotencyKey is { } key)
                _idempotencyKeys.Remove((tenant, key));
        }
        _watermarks[shard.Shard.Value] = long.Max(_watermarks[shard.Shard.Value], shard.Watermark);
        return new ProjectionOutcome(IsFenced: false, quarantined);
    }

    public ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<QuarantineRow>>([.. _quarantine
                .Where(held => held.Value.Tenant == tenant && !held.Value.IsDiscarded)
                .OrderByDescending(held => held.Value.At).ThenByDescending(held => held.Key.Value)
                .Take(countMax)
                .Select(held => new QuarantineRow(held.Key, _goals.GetValueOrDefault((tenant.Value, held.Key.Value))?.Row.Title, held.Value.Reason, held.Value.At))]);
        }
    }

    private void Forget(TenantId tenant, GoalId id)
    {
        if (!_goals.TryGetValue((tenant.Value, id.Value), out var stored))
            return;
        foreach (var task in stored.Tasks.Values)
            _goalOfTask.Remove((tenant, task.Id));
        stored.Tasks.Clear();
    }

    private string? Refusal(GoalRow? goal, IEnumerable<TaskRow> tasks)
    {
        if (goal is { IdempotencyKey: { } key } && _idempotencyKeys.TryGetValue((goal.Tenant, key), out var first) && first != goal.Id)
            return "one_goal_per_idempotency_key";
        if (goal is null && tasks.Any(task => !_goals.ContainsKey((task.Tenant.Value, task.Goal.Value))))
            return "task_has_goal";
        return (goal is null ? null : StoreRules.Refusal(goal)) ?? tasks.Select(StoreRules.Refusal).FirstOrDefault(refusal => refusal is not null);
    }

    private void Write(GoalRow? goal, IEnumerable<TaskRow> tasks)
    {
        if (goal is not null)
        {
            var key = (goal.Tenant.Value, goal.Id.Value);
            if (_goals.TryGetValue(key, out var stored))
                stored.Row = Stored(goal);
            else
                _goals.Add(key, new StoredGoal(Stored(goal)));
            if (goal.IdempotencyKey is { } idempotencyKey)
                _idempotencyKeys[(goal.Tenant, idempotencyKey)] = goal.Id;
        }
        foreach (var task in tasks)
        {
            _goals[(task.Tenant.Value, task.Goal.Value)].Tasks[task.Id.Value] = Stored(task);
            _goalOfTask[(task.Tenant, task.Id)] = task.Goal;
            if (task.State == TaskState.Dead && Stored(task) is { EndedAt: { } at } dead)
                _deaths.TryAdd((task.Tenant, task.Id, at), dead);
        }
    }

    private void Remove(RemovedTask removed)
    {
        if (_goalOfTask.TryGetValue((removed.Tenant, removed.Task), out var goal) && !_quarantine.ContainsKey(goal))
        {
            _goalOfTask.Remove((removed.Tenant, removed.Task));
            _goals[(removed.Tenant.Value, goal.Value)].Tasks.Remove(removed.Task.Value);
        }
    }

    private static GoalRow Stored(GoalRow goal) => goal with
    {
        Input = goal.Input.ToArray(),
        Result = goal.Result.ToArray(),
        CreatedAt = StoreRules.Stored(goal.CreatedAt),
        EndedAt = Stored(goal.EndedAt),
    };

    private static TaskRow Stored(TaskRow task) => task with
    {
        Spec = task.Spec with { Input = task.Spec.Input.ToArray() },
        After = task.After.ToArray(),
        Output = task.Output.ToArray(),
        CreatedAt = StoreRules.Stored(task.CreatedAt),
        DueAt = Stored(task.DueAt),
        StartedAt = Stored(task.StartedAt),
        EndedAt = Stored(task.EndedAt),
    };

    private static DateTimeOffset? Stored(DateTimeOffset? at) => at is { } instant ? StoreRules.Stored(instant) : null;

    private sealed record Refused(TenantId Tenant, string Reason, DateTimeOffset At, bool IsDiscarded);

    private sealed class StoredGoal(GoalRow row)
    {
        public GoalRow Row { get; set; } = row;
        public SortedDictionary<Guid, TaskRow> Tasks { get; } = [];
        public GoalSnapshot Snapshot => new(Row, Tasks.Values.ToArray());
    }
}
