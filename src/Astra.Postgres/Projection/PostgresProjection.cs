using Astra.Kernel;
using Astra.Kernel.Tasks;
using Npgsql;

namespace Astra.Postgres.Projection;

/// <summary>
/// The rows people query, in PostgreSQL. A batch is one transaction and one round trip; when the tables refuse
/// something in it, the guilty goal is found by taking the batch apart, and everything else gets in.
/// </summary>
public sealed class PostgresProjection : IProjection
{
    private readonly Database _database;
    private readonly ProjectionReads _reads;
    private readonly FailureReads _failures;

    internal PostgresProjection(Database database)
    {
        _database = database;
        _reads = new ProjectionReads(database);
        _failures = new FailureReads(database);
    }

    /// <summary>Told when rows of tasks that have died are there, on whatever thread wrote them: return quickly.</summary>
    public Action OnDeaths { get; set; } = static () => { };

    /// <summary>Told when a goal's rows were refused and it went into quarantine.</summary>
    public Action<TenantId, GoalId> OnQuarantined { get; set; } = static (_, _) => { };

    public async ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
            return [];
        try
        {
            var write = new ProjectionWrite(batch);
            await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
            await write.ExecuteAsync(connection, transaction: null, advance: true, cancellationToken);
            if (write.HasDeaths)
                OnDeaths();
            foreach (var (goal, _) in write.Quarantined)
                OnQuarantined(write.TenantOf(goal), goal);
            return batch.Select(shard => Outcome(shard, write)).ToArray();
        }
        catch (PostgresException exception) when (Failures.IsRefusal(exception))
        {
            var outcomes = new List<ProjectionOutcome>(batch.Count);
            foreach (var shard in batch)
                outcomes.Add(await ProjectApartAsync(shard, cancellationToken));
            return outcomes;
        }
    }

    public ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken) =>
        _reads.LoadAsync(shards, cancellationToken);

    public ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        _reads.LoadGoalAsync(tenant, goal, cancellationToken);

    public ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        _reads.FindGoalAsync(tenant, goal, cancellationToken);

    public ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken) =>
        _reads.FindByIdempotencyKeyAsync(tenant, idempotencyKey, cancellationToken);

    public ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken) =>
        _reads.FindGoalOfTaskAsync(tenant, task, cancellationToken);

    public ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(
        TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        _reads.ListGoalsAsync(tenant, state, agent, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(
        TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        _reads.ListChildrenAsync(tenant, parent, state, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(
        TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        _failures.ListDeadTasksAsync(tenant, fingerprint, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        _failures.ListQuarantinedAsync(tenant, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        _failures.ListDeadGroupsAsync(tenant, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken) =>
        _failures.ListDeathRatesAsync(tenant, since, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        _failures.ListUnknownEffectsAsync(tenant, after, countMax, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        _failures.ListApprovalsAsync(tenant, after, countMax, cancellationToken);

    /// <summary>One shard, goal by goal behind savepoints: a goal that is refused goes into quarantine and the next has its turn.</summary>
    /// <remarks>Several round trips with the shard's lock held. It is rare, and a process that stops half-way is thrown
    /// out by the server's limit on idle transactions.</remarks>
    private async ValueTask<ProjectionOutcome> ProjectApartAsync(ShardProjection shard, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);

        var goals = shard.Goals.ToLookup(goal => (goal.Tenant, goal.Id));
        var tasks = shard.Tasks.ToLookup(task => (task.Tenant, Id: task.Goal));
        var quarantined = new List<QuarantinedGoal>();
        var whose = new List<(TenantId Tenant, GoalId Goal)>();
        var anew = new HashSet<RemovedTask>();
        foreach (var goal in goals.Select(group => group.Key).Union(tasks.Select(group => group.Key)))
        {
            // A task that is removed and there again was replaced: its row is made anew, within the goal's savepoint.
            var own = tasks[goal].ToArray();
            var ids = own.Select(task => task.Id).ToHashSet();
            var replaced = shard.Removed.Where(removed => removed.Tenant == goal.Tenant && ids.Contains(removed.Task)).ToArray();
            anew.UnionWith(replaced);
            var part = shard with { Goals = goals[goal].ToArray(), Tasks = own, Changes = [], Removed = replaced, Released = shard.Released.Where(released => released == goal).ToArray(), Discarded = [] };
            var write = new ProjectionWrite([part]);
            await transaction.SaveAsync(Savepoint, cancellationToken);
            try
            {
                await write.ExecuteAsync(connection, transaction, advance: false, cancellationToken);
            }
            catch (PostgresException exception) when (Failures.IsRefusal(exception))
            {
                await transaction.RollbackAsync(Savepoint, cancellationToken);
                write = new ProjectionWrite([part]);
                write.Refuse(goal.Tenant, goal.Id, Failures.Describe(exception));
                await write.ExecuteAsync(connection, transaction, advance: false, cancellationToken);
            }
            quarantined.AddRange(write.Quarantined);
            whose.AddRange(write.Quarantined.Select(_ => goal));
        }

        // The rows first: a goal's history begins behind the watermark that its shard had when the row was made.
        var rest = new ProjectionWrite([shard with { Goals = [], Tasks = [], Changes = [], Released = [], Removed = shard.Removed.Where(removed => !anew.Contains(removed)).ToArray() }]);
        await rest.ExecuteAsync(connection, transaction, advance: true, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        if (shard.Tasks.Any(task => task.State == TaskState.Dead))
            OnDeaths();
        if (!rest.Held.Contains(shard.Shard))
            return new ProjectionOutcome(IsFenced: true, []);
        foreach (var (tenant, goal) in whose)
            OnQuarantined(tenant, goal);
        return new ProjectionOutcome(IsFenced: false, quarantined);
    }

    private const string Savepoint = "goal";

    private static ProjectionOutcome Outcome(ShardProjection shard, ProjectionWrite write) => write.Held.Contains(shard.Shard)
        ? new ProjectionOutcome(IsFenced: false, write.Quarantined.Where(goal => goal.Goal.Shard == shard.Shard).ToArray())
        : new ProjectionOutcome(IsFenced: true, []);
}
