using Astra.Kernel.Timers;

namespace Astra.Kernel.InMemory;

/// <summary>Schedules in memory: the reference.</summary>
public sealed class InMemorySchedules : ISchedules
{
    private readonly Lock _transaction;
    private readonly Dictionary<(TenantId, ScheduleId), Schedule> _schedules = [];

    internal InMemorySchedules(Lock transaction) => _transaction = transaction;

    public ValueTask<bool> AddAsync(Schedule schedule, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            var isTaken = _schedules.Values.Any(other => other.Tenant == schedule.Tenant && other.Name == schedule.Name);
            return ValueTask.FromResult(!isTaken && _schedules.TryAdd((schedule.Tenant, schedule.Id), schedule));
        }
    }

    public ValueTask<Schedule?> FindAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(_schedules.GetValueOrDefault((tenant, id)));
    }

    public ValueTask<IReadOnlyList<Schedule>> ListAsync(TenantId tenant, CancellationToken cancellationToken) =>
        Read(schedule => schedule.Tenant == tenant, schedule => schedule.Name, int.MaxValue);

    public ValueTask<bool> UpdateAsync(Schedule schedule, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            if (!_schedules.TryGetValue((schedule.Tenant, schedule.Id), out var before) || before.Version != schedule.Version)
                return ValueTask.FromResult(false);
            _schedules[(schedule.Tenant, schedule.Id)] = schedule with { Version = schedule.Version + 1 };
            return ValueTask.FromResult(true);
        }
    }

    public ValueTask<bool> RemoveAsync(TenantId tenant, ScheduleId id, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(_schedules.Remove((tenant, id)));
    }

    public ValueTask<IReadOnlyList<Schedule>> ReadDueAsync(DateTimeOffset by, int countMax, CancellationToken cancellationToken) =>
        Read(schedule => schedule.PausedBy is null && schedule.NextAt <= by, schedule => $"{schedule.NextAt:O} {schedule.Id}", countMax);

    public ValueTask<IReadOnlyList<Schedule>> ReadLaterAsync(DateTimeOffset than, ScheduleId? after, int countMax, CancellationToken cancellationToken) => Read(
        schedule => schedule.PausedBy is null && schedule.NextAt > than && (after is not { } last || schedule.Id.Value.CompareTo(last.Value) > 0),
        schedule => schedule.Id.ToString(), countMax);

    private ValueTask<IReadOnlyList<Schedule>> Read(Func<Schedule, bool> where, Func<Schedule, string> by, int countMax)
    {
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<Schedule>>([.. _schedules.Values.Where(where).OrderBy(by, StringComparer.Ordinal).Take(countMax)]);
    }
}
