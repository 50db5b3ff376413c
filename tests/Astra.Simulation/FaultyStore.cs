using Astra.Kernel;
using Astra.Kernel.InMemory;
using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>
/// The database's side of the wire. A request that was sent is carried out whether or not its sender lives to hear of it;
/// it may be refused, or its reply may be lost, or its sender may die of it.
/// </summary>
internal sealed class FaultyStore(VirtualDispatcher database, InMemoryStore store, Func<StoreFaults> faults, IRandomness dice)
{
    public InMemoryStore Store => store;

    /// <summary>Until then nothing answers.</summary>
    public TimeSpan DownUntil { get; set; }

    public ValueTask<T> CallAsync<T>(Func<ValueTask<T>> execute, Action crashSender)
    {
        var reply = new TaskCompletionSource<T>();
        var (isRefused, isLost, isDeadly) = (dice.Chance(faults().ErrorShare), dice.Chance(faults().LostReplyShare), dice.Chance(faults().CrashShare));
        database.Schedule(Latency(), () =>
        {
            if (isRefused || database.Clock.Elapsed < DownUntil)
            {
                Answer(() => reply.SetException(new JournalUnavailableException("The connection was refused.")));
                return;
            }
            var result = Now(execute());
            Answer(() =>
            {
                if (isLost)
                    reply.SetException(new JournalUnavailableException("The connection was lost after the request was sent."));
                else
                    reply.SetResult(result);
            });
        });
        return new ValueTask<T>(reply.Task);

        void Answer(Action settle) => database.Schedule(Latency(), () =>
        {
            settle();
            if (isDeadly)
                crashSender();
        });
    }

    private TimeSpan Latency() => faults().LatencyMax * dice.NextDouble();

    private static T Now<T>(ValueTask<T> inMemory)
    {
#pragma warning disable VSTHRD002 // The store in memory never awaits.
        return inMemory.AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }
}

internal sealed class FaultyJournal(FaultyStore wire, Action crashSender, Action<IReadOnlyList<ShardAppend>, IReadOnlyList<AppendOutcome>> appended) : IJournal
{
    public ValueTask<IReadOnlyList<AppendOutcome>> AppendAsync(IReadOnlyList<ShardAppend> appends, CancellationToken cancellationToken) => wire.CallAsync(
        async () =>
        {
            var outcomes = await wire.Store.Journal.AppendAsync(appends, CancellationToken.None);
            appended(appends, outcomes);
            return outcomes;
        },
        crashSender);

    public ValueTask<IReadOnlyList<IReadOnlyList<JournalEntry>>> ReadTailsAsync(IReadOnlyList<ShardPosition> after, CancellationToken cancellationToken) =>
        wire.CallAsync(() => wire.Store.Journal.ReadTailsAsync(after, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<JournalEntry>> ReadGoalAsync(TenantId tenant, GoalId goal, long afterSeq, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => wire.Store.Journal.ReadGoalAsync(tenant, goal, afterSeq, countMax, CancellationToken.None), crashSender);
}

internal sealed class FaultyProjection(FaultyStore wire, Action crashSender, StoreTrace? recording) : IProjection
{
    private readonly InMemoryProjection _rows = wire.Store.Projection;

    public ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken) =>
        wire.CallAsync(
            async () =>
            {
                var outcomes = await _rows.ProjectAsync(batch, CancellationToken.None);
                recording?.Projected(batch, outcomes);
                return outcomes;
            },
            crashSender);

    public ValueTask<IReadOnlyList<ShardSnapshot>> LoadAsync(IReadOnlyList<ShardId> shards, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.LoadAsync(shards, CancellationToken.None), crashSender);

    public ValueTask<GoalSnapshot?> LoadGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.LoadGoalAsync(tenant, goal, CancellationToken.None), crashSender);

    public ValueTask<GoalRow?> FindGoalAsync(TenantId tenant, GoalId goal, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.FindGoalAsync(tenant, goal, CancellationToken.None), crashSender);

    public ValueTask<GoalRow?> FindByIdempotencyKeyAsync(TenantId tenant, string idempotencyKey, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.FindByIdempotencyKeyAsync(tenant, idempotencyKey, CancellationToken.None), crashSender);

    public ValueTask<GoalId?> FindGoalOfTaskAsync(TenantId tenant, TaskId task, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.FindGoalOfTaskAsync(tenant, task, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<GoalRow>> ListGoalsAsync(TenantId tenant, GoalState? state, string? agent, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListGoalsAsync(tenant, state, agent, after, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<GoalRow>> ListChildrenAsync(TenantId tenant, GoalId parent, GoalState? state, GoalId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListChildrenAsync(tenant, parent, state, after, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<TitledTask>> ListDeadTasksAsync(TenantId tenant, string? fingerprint, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListDeadTasksAsync(tenant, fingerprint, after, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<QuarantineRow>> ListQuarantinedAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListQuarantinedAsync(tenant, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<DeadGroup>> ListDeadGroupsAsync(TenantId tenant, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListDeadGroupsAsync(tenant, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<DeathRate>> ListDeathRatesAsync(TenantId tenant, DateTimeOffset since, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListDeathRatesAsync(tenant, since, countMax, CancellationToken.None), crashSender);

    public ValueTask<IReadOnlyList<TitledTask>> ListUnknownEffectsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListUnknownEffectsAsync(tenant, after, countMax, CancellationToken.None), crashSender);
}

internal sealed class FaultyLeases(FaultyStore wire, IShardLeases leases, Action crashSender, Action<LeaseRenewal> renewed) : IShardLeases
{
    public ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken) => wire.CallAsync(
        async () =>
        {
            var renewal = await leases.RenewAsync(self, release, CancellationToken.None);
            renewed(renewal);
            return renewal;
        },
        crashSender);

    public async ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken) => await wire.CallAsync(
        async () =>
        {
            await leases.LeaveAsync(self, CancellationToken.None);
            return true;
        },
        crashSender);
}
