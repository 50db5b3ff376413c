using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Tests.Simulation;

/// <summary>A journal whose commits a test can hold back, and whose answers it can lose.</summary>
internal sealed class HeldJournal(IJournal journal) : IJournal
{
    private readonly Queue<Action> _held = [];

    public bool IsHeld { get; private set; }

    /// <summary>The next commit takes effect, and the writer is not told.</summary>
    public bool LosesNextReply { get; set; }

    /// <summary>The database does not answer at all.</summary>
    public bool IsDown { get; set; }

    /// <summary>Entries of this kind break a constraint, as far as the log is concerned.</summary>
    public EventKind? Refused { get; set; }

    public int HeldCount => _held.Count;

    /// <summary>What the log was asked to commit, transaction by transaction.</summary>
    public List<IReadOnlyList<ShardAppend>> Asked { get; } = [];

    public void Hold() => IsHeld = true;

    /// <summary>Lets everything that waits commit.</summary>
    public void Release()
    {
        IsHeld = false;
        while (_held.TryDequeue(out var commit))
            commit();
    }

    public ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken)
    {
        if (IsDown)
            throw new JournalUnavailableException("The database is down.");
        Asked.Add(appends);
        if (!IsHeld)
            return CommitAsync(appends);
        var committed = new TaskCompletionSource<IReadOnlyList<AppendOutcome>>();
        _held.Enqueue(() => _ = SettleAsync(committed, appends));
        return new ValueTask<IReadOnlyList<AppendOutcome>>(committed.Task);
    }

    public ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken) =>
        IsDown ? throw new JournalUnavailableException("The database is down.") : journal.ReadTailsAsync(after, cancellationToken);

    public ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken) =>
        IsDown ? throw new JournalUnavailableException("The database is down.") : journal.ReadGoalAsync(tenant, goal, afterSeq, countMax, cancellationToken);

    private async Task SettleAsync(TaskCompletionSource<IReadOnlyList<AppendOutcome>> committed, IReadOnlyList<ShardAppend> appends)
    {
        try
        {
            committed.SetResult(await CommitAsync(appends));
        }
        catch (JournalUnavailableException e)
        {
            committed.SetException(e);
        }
    }

    private async ValueTask<IReadOnlyList<AppendOutcome>> CommitAsync(IReadOnlyList<ShardAppend> appends)
    {
        if (appends.Any(append => append.Entries.Any(entry => entry.Kind == Refused)))
            return [.. appends.Select(_ => AppendOutcome.Refused)];
        var outcomes = await journal.AppendAsync(appends, CancellationToken.None);
        if (!LosesNextReply)
            return outcomes;
        LosesNextReply = false;
        throw new JournalUnavailableException("The connection was lost after the commit was sent.");
    }
}

/// <summary>Rows that a test can make slow to read, or take away.</summary>
internal sealed class SlowProjection(IProjection rows) : IProjection
{
    private readonly Queue<Action> _held = [];

    public bool IsDown { get; set; }

    /// <summary>Loading shards, or looking for an idempotency key or a goal, takes until <see cref="Release"/>; what is found is what is there now.</summary>
    public bool HoldsReads { get; set; }

    public void Release()
    {
        HoldsReads = false;
        while (_held.TryDequeue(out var answer))
            answer();
    }

    /// <summary>It writes, and then breaks its contract: it says nothing of what became of the shards.</summary>
    public bool BreaksItsContract { get; set; }

    /// <summary>This goal's row reaches the tables as one that they refuse.</summary>
    public GoalId? Spoils { get; set; }

    public ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken) =>
        BreaksItsContract ? ValueTask.FromResult<IReadOnlyList<ProjectionOutcome>>([]) : Up<IReadOnlyList<ShardProjection>, IReadOnlyList<ProjectionOutcome>>(rows.ProjectAsync, [.. batch.Select(Spoiled)], cancellationToken);

    private ShardProjection Spoiled(ShardProjection shard) => Spoils is not { } spoilt ? shard : shard with
    {
        Goals = [.. shard.Goals.Select(goal => goal.Id == spoilt ? goal with { EndedAt = goal.EndedAt is null ? goal.CreatedAt : null } : goal)],
    };

    public ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken) =>
        HoldAsync(Up(rows.LoadAsync, shards, cancellationToken));

    public ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        HoldAsync(Up(_ => rows.LoadGoalAsync(tenant, goal, cancellationToken), goal, cancellationToken));

    public ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        Up(_ => rows.FindGoalAsync(tenant, goal, cancellationToken), goal, cancellationToken);

    public ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken) =>
        HoldAsync(Up(_ => rows.FindByIdempotencyKeyAsync(tenant, idempotencyKey, cancellationToken), idempotencyKey, cancellationToken));

    public ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken) =>
        Up(_ => rows.FindGoalOfTaskAsync(tenant, task, cancellationToken), task, cancellationToken);

    public ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListGoalsAsync(tenant, state, agent, after, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListChildrenAsync(tenant, parent, state, after, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListDeadTasksAsync(tenant, fingerprint, after, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListQuarantinedAsync(tenant, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListDeadGroupsAsync(tenant, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListDeathRatesAsync(tenant, since, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListUnknownEffectsAsync(tenant, after, countMax, cancellationToken), tenant, cancellationToken);

    public ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        Up(_ => rows.ListApprovalsAsync(tenant, after, countMax, cancellationToken), tenant, cancellationToken);

    private ValueTask<TResult> Up<T, TResult>(Func<T, CancellationToken, ValueTask<TResult>> call, T argument, CancellationToken cancellationToken) =>
        IsDown ? throw new JournalUnavailableException("The database is down.") : call(argument, cancellationToken);

    private ValueTask<TResult> Up<T, TResult>(Func<T, ValueTask<TResult>> call, T argument, CancellationToken cancellationToken) =>
        Up((value, _) => call(value), argument, cancellationToken);

    private ValueTask<T> HoldAsync<T>(ValueTask<T> found)
    {
        if (!HoldsReads)
            return found;
        var answer = new TaskCompletionSource<T>();
        _held.Enqueue(() => _ = SettleAsync());
        return new ValueTask<T>(answer.Task);

        async Task SettleAsync() => answer.SetResult(await found);
    }
}
