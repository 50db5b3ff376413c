using Astra.Kernel.Metrics;

namespace Astra.Kernel.Scheduling;

/// <summary>Answered with a <see cref="SchedulerCensus"/>.</summary>
internal sealed record TakeCensus
{
    public static readonly TakeCensus Instance = new();
}

/// <summary>What waits and what runs, for metrics: bounded, whatever the number of tenants.</summary>
internal sealed record SchedulerCensus(
    SchedulerSummary Summary, IReadOnlyList<TenantLoad> Tenants, IReadOnlyList<ShardGroup> ShardGroups, int WithoutWorker, int NotDue)
{
    private const int TenantsMax = 20;

    public static SchedulerCensus Of(
        SchedulerSummary summary, FairQueue queue, WorkerPool workers, IReadOnlyDictionary<ShardId, HashSet<TaskId>> offered, IReadOnlyCollection<ReadyTask> later)
    {
        var loads = new Dictionary<TenantId, (int Ready, int Running)>();
        var withoutWorker = 0;
        foreach (var (tenant, executor, count) in queue.WaitingCounts())
        {
            var load = loads.GetValueOrDefault(tenant);
            loads[tenant] = (load.Ready + count, load.Running);
            if (!workers.IsOffered(tenant, executor))
                withoutWorker += count;
        }
        foreach (var task in later)
        {
            var load = loads.GetValueOrDefault(task.Tenant);
            loads[task.Tenant] = (load.Ready + 1, load.Running);
        }
        foreach (var (tenant, running) in workers.RunningByTenant)
            loads[tenant] = (loads.GetValueOrDefault(tenant).Ready, running);

        var groups = Enumerable.Range(0, ShardId.Count / ShardGroup.Size).Select(number => new ShardGroup(new ShardId(number * ShardGroup.Size), 0, 0)).ToArray();
        foreach (var (shard, tasks) in offered)
            groups[ShardGroup.Of(shard)] = groups[ShardGroup.Of(shard)] with { Ready = groups[ShardGroup.Of(shard)].Ready + tasks.Count };
        foreach (var shard in workers.ShardsOfTaken)
            groups[ShardGroup.Of(shard)] = groups[ShardGroup.Of(shard)] with { Running = groups[ShardGroup.Of(shard)].Running + 1 };
        return new SchedulerCensus(summary, Top(loads), groups, withoutWorker, later.Count);
    }

    private static List<TenantLoad> Top(Dictionary<TenantId, (int Ready, int Running)> loads)
    {
        var ordered = loads.OrderByDescending(load => load.Value.Ready + load.Value.Running).ThenBy(load => load.Key.Value).ToList();
        var top = ordered.Take(TenantsMax).Select(load => new TenantLoad(load.Key, load.Value.Ready, load.Value.Running)).ToList();
        if (ordered.Count > TenantsMax)
        {
            var others = ordered.Skip(TenantsMax).ToList();
            top.Add(new TenantLoad(null, others.Sum(load => load.Value.Ready), others.Sum(load => load.Value.Running)));
        }
        return top;
    }
}
