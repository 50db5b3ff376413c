using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.Timers;

namespace Astra.Simulation;

internal sealed class FaultyAgentStore(FaultyStore wire, Action crashSender) : IAgentStore
{
    private readonly IAgentStore _rows = wire.Store.Agents;

    private static CancellationToken None => CancellationToken.None;

    public ValueTask<AgentRow?> RegisterAsync(TenantId tenant, AgentDefinition agent, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.RegisterAsync(tenant, agent, None), crashSender);

    public ValueTask<int> CreateAsync(TenantId tenant, IReadOnlyList<AgentDefinition> agents, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.CreateAsync(tenant, agents, None), crashSender);

    public ValueTask<IReadOnlyList<AgentRow>> ListAsync(TenantId tenant, string? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ListAsync(tenant, after, countMax, None), crashSender);

    public ValueTask<AgentRow?> LoadAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.LoadAsync(tenant, name, None), crashSender);

    public ValueTask<string?> FindClassAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.FindClassAsync(tenant, name, None), crashSender);

    public ValueTask<IReadOnlyList<AgentSaveOutcome>> SaveAsync(IReadOnlyList<AgentSave> saves, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.SaveAsync(saves, None), crashSender);

    public ValueTask<AgentSaveOutcome> RemoveAsync(ShardId shard, Epoch epoch, TenantId tenant, string name, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.RemoveAsync(shard, epoch, tenant, name, None), crashSender);
}

internal sealed class FaultyControls(FaultyStore wire, Action crashSender) : IControls
{
    private readonly IControls _rows = wire.Store.Controls;

    public ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken) => wire.CallAsync(() => _rows.ReadVersionAsync(CancellationToken.None), crashSender);

    public ValueTask<ControlSet> LoadAsync(CancellationToken cancellationToken) => wire.CallAsync(() => _rows.LoadAsync(CancellationToken.None), crashSender);

    public ValueTask<TenantControls> ReadAsync(TenantId tenant, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ReadAsync(tenant, CancellationToken.None), crashSender);

    public ValueTask<bool> ApplyAsync(TenantId tenant, ControlChange change, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ApplyAsync(tenant, change, CancellationToken.None), crashSender);
}

internal sealed class FaultySchedules(FaultyStore wire, Action crashSender) : ISchedules
{
    private readonly ISchedules _rows = wire.Store.Schedules;

    private static CancellationToken None => CancellationToken.None;

    public ValueTask<bool> AddAsync(Schedule schedule, CancellationToken cancellationToken) => wire.CallAsync(() => _rows.AddAsync(schedule, None), crashSender);

    public ValueTask<Schedule?> FindAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.FindAsync(tenant, id, None), crashSender);

    public ValueTask<IReadOnlyList<Schedule>> ListAsync(TenantId tenant, CancellationToken cancellationToken) => wire.CallAsync(() => _rows.ListAsync(tenant, None), crashSender);

    public ValueTask<bool> UpdateAsync(Schedule schedule, CancellationToken cancellationToken) => wire.CallAsync(() => _rows.UpdateAsync(schedule, None), crashSender);

    public ValueTask<bool> RemoveAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.RemoveAsync(tenant, id, None), crashSender);

    public ValueTask<IReadOnlyList<Schedule>> ReadDueAsync(DateTimeOffset by, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ReadDueAsync(by, countMax, None), crashSender);

    public ValueTask<IReadOnlyList<Schedule>> ReadLaterAsync(DateTimeOffset than, ScheduleId? after, int countMax, CancellationToken cancellationToken) =>
        wire.CallAsync(() => _rows.ReadLaterAsync(than, after, countMax, None), crashSender);
}
