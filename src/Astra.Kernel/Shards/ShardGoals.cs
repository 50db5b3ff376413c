using Astra.Kernel.Journal;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Shards;

/// <summary>
/// The goals of a shard that are in memory: the active ones, and finished ones until the rows show them. Keys carry the
/// tenant, so forgetting to check it finds nothing instead of everything.
/// </summary>
internal sealed class ShardGoals
{
    // Someone who repeats a submission may have looked into the rows just before its goal was projected, and may look
    // in here just after it was evicted. For this long we still remember what was where.
    public static readonly TimeSpan EvictedMemory = TimeSpan.FromMinutes(1);

    private readonly Dictionary<(TenantId, GoalId), Goal> _goals = [];
    private readonly Dictionary<TaskId, Goal> _byTask = [];
    private readonly Dictionary<(TenantId, string), Goal> _byKey = [];
    private readonly List<Goal> _ended = [];
    private readonly Queue<(TimeSpan At, GoalRow Row)> _evicted = [];
    private TimeSpan _remembersSince;

    public IEnumerable<Goal> All => _goals.Values;

    public int TaskCount => _byTask.Count;

    public bool RemembersEvicted => _evicted.Count > 0;

    public Goal? Find(TenantId tenant, GoalId goal) => _goals.GetValueOrDefault((tenant, goal));

    /// <summary>For the kernel's own work: ids are unique among all tenants.</summary>
    public Goal? Find(GoalId goal) => _goals.Values.FirstOrDefault(found => found.Id == goal);

    /// <summary>For the kernel's own work, which goes by task id alone.</summary>
    public Goal? FindByTask(TaskId task) => _byTask.GetValueOrDefault(task);

    public Goal? FindByTask(TenantId tenant, TaskId task) => FindByTask(task) is { } goal && goal.Tenant == tenant ? goal : null;

    /// <summary>The goal submitted under a key, as of its last decided event. One that came back has left more than once.</summary>
    public GoalRow? FindByKey(TenantId tenant, string key) =>
        _byKey.TryGetValue((tenant, key), out var goal) ? goal.ToRow()
        : _evicted.LastOrDefault(evicted => evicted.Row.Tenant == tenant && evicted.Row.IdempotencyKey == key).Row;

    /// <summary>From here on nothing leaves unnoticed.</summary>
    public void Open(TimeSpan now) => _remembersSince = now;

    /// <summary>Whether everything that has left since that moment is still known here. If not, rows that were read then
    /// may miss what this memory misses too, and have to be read again.</summary>
    public bool Remembers(TimeSpan since) => since >= _remembersSince;

    /// <summary>False for an image that may be older than what was evicted from here.</summary>
    public bool IsCurrent(GoalRow row, TimeSpan readAt) =>
        Remembers(readAt) && !_evicted.Any(evicted => evicted.Row.Tenant == row.Tenant && evicted.Row.Id == row.Id && evicted.Row.LastSeq > row.LastSeq);

    public void Add(Goal goal)
    {
        _goals.Add((goal.Tenant, goal.Id), goal);
        if (goal.IdempotencyKey is { } key)
            _byKey[(goal.Tenant, key)] = goal;
        foreach (var task in goal.Graph.Tasks)
            _byTask[task.Id] = goal;
        if (goal.State != GoalState.Active)
            _ended.Add(goal);
    }

    /// <summary>Keeps the indexes in step with an entry that was applied, or is about to be.</summary>
    public void Follow(Goal goal, JournalEntry entry)
    {
        switch (entry.Kind)
        {
            case EventKind.TaskAdded:
                _byTask[entry.Task!.Value] = goal;
                break;
            case EventKind.TaskRemoved:
                _byTask.Remove(entry.Task!.Value);
                break;
            case EventKind.GoalCompleted or EventKind.GoalFailed or EventKind.GoalCancelled:
                _ended.Add(goal);
                break;
            case EventKind.GoalReopened:
                _ended.Remove(goal);
                break;
        }
    }

    /// <summary>Forgets finished goals that the rows show in full; from now on they are read from there.</summary>
    public void Evict(long watermark, TimeSpan now)
    {
        ForgetEvicted(now);
        for (var i = _ended.Count - 1; i >= 0; i--)
        {
            var goal = _ended[i];
            // Of what is in quarantine there is nothing to be read elsewhere.
            if (((goal.IsDirty || goal.LastSeq > watermark) && !Mutants.EvictedUnseen) || goal is { IsQuarantined: true, IsDiscarded: false })
                continue;
            _ended.RemoveAt(i);
            _goals.Remove((goal.Tenant, goal.Id));
            foreach (var task in goal.Graph.Tasks)
                _byTask.Remove(task.Id);
            if (goal.IdempotencyKey is { } key)
                _byKey.Remove((goal.Tenant, key));
            _evicted.Enqueue((now, goal.ToRow()));
        }
    }

    public void ForgetEvicted(TimeSpan now)
    {
        while (_evicted.TryPeek(out var oldest) && now - oldest.At > EvictedMemory)
        {
            _evicted.Dequeue();
            _remembersSince = oldest.At;
        }
    }

    public void GiveBackRoom()
    {
        _goals.GiveBackRoom();
        _byTask.GiveBackRoom();
        _byKey.GiveBackRoom();
        _ended.GiveBackRoom();
        _evicted.GiveBackRoom();
    }
}
