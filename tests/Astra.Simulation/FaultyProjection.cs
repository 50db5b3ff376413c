using Astra.Kernel;
using Astra.Kernel.InMemory;
using Astra.Kernel.Tasks;

namespace Astra.Simulation;

internal sealed class FaultyProjection(FaultyStore wire, Action crashSender, Action<IReadOnlyList<ShardProjection>, IReadOnlyList<ProjectionOutcome>> projected) : IProjection
{
    private readonly InMemoryProjection _rows = wire.Store.Projection;

    public ValueTask<IReadOnlyList<ProjectionOutcome>> ProjectAsync(IReadOnlyList<ShardProjection> batch, CancellationToken cancellationToken) =>
        wire.CallAsync(
            async () =>
            {
                var outcomes = await _rows.ProjectAsync(batch, CancellationToken.None);
                projected(batch, outcomes);
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

    public ValueTask<IReadOnlyList<TitledTask>> ListApprovalsAsync(TenantId tenant, TaskId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListApprovalsAsync(tenant, after, countMax, CancellationToken.None), crashSender);
}
