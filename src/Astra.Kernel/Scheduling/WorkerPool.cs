using Astra.Kernel.Shards;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

/// <summary>A slot in use, from the moment the task is claimed.</summary>
/// <param name="Since">On the node's monotonic clock.</param>
/// <param name="Estimate">What its tenant and agent were charged in advance.</param>
internal sealed record TakenTask(ReadyTask Ready, ClaimTask Claim, TimeSpan Since, TimeSpan Estimate)
{
    public AttemptId Attempt => new(Ready.Task, Ready.AttemptBefore + 1);

    /// <summary>The claim is durable. Until then a shard that is lost takes it along.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>Set while its shard lives on another node: when the owner there was last known to count on this worker.</summary>
    public TimeSpan? AwaySince { get; set; }
}

/// <summary>The connected workers, their free slots, and who runs how much.</summary>
internal sealed class WorkerPool
{
    private readonly Dictionary<WorkerId, Member> _members = [];
    private readonly Dictionary<string, List<Member>> _byExecutor = new(StringComparer.Ordinal);
    private readonly Dictionary<TenantId, int> _runningByTenant = [];
    private readonly Dictionary<(TenantId, string), int> _runningByAgent = [];
    private int _freeSlots;
    private int _joinedCount;

    public bool HasFreeSlot => _freeSlots > 0;
    public int TakenCount { get; private set; }

    public IReadOnlyList<WorkerSummary> Summary =>
        [.. _members.Values.OrderBy(member => member.Ordinal).Select(member => new WorkerSummary(
            member.Handle.Id, member.Handle.Offer.Name, member.Handle.Offer.Tenant, member.Handle.Offer.Executors, member.Handle.Offer.Slots, member.Taken.Count))];

    public IEnumerable<KeyValuePair<TenantId, int>> RunningByTenant => _runningByTenant.Where(running => running.Value > 0);

    public IEnumerable<ShardId> ShardsOfTaken => _members.Values.SelectMany(member => member.Taken.Values).Select(taken => taken.Ready.Shard);

    public bool IsOffered(TenantId tenant, string executor) => Offering(tenant, executor).Any(member => !member.IsDraining);

    public WorkerHandle? Handle(WorkerId worker) => _members.GetValueOrDefault(worker)?.Handle;

    public int RunningOf(TenantId tenant) => _runningByTenant.GetValueOrDefault(tenant);

    public int RunningOf(TenantId tenant, string? agent) => _runningByAgent.GetValueOrDefault((tenant, agent ?? ""));

    public void Join(WorkerHandle handle)
    {
        var member = new Member(handle, _joinedCount++);
        if (!_members.TryAdd(handle.Id, member))
            return;
        foreach (var executor in handle.Offer.Executors)
        {
            if (!_byExecutor.TryGetValue(executor, out var offering))
                _byExecutor[executor] = offering = [];
            offering.Add(member);
        }
        _freeSlots += handle.Offer.Slots;
    }

    public void Drain(WorkerId worker)
    {
        if (!_members.TryGetValue(worker, out var member) || member.IsDraining)
            return;
        _freeSlots -= member.FreeSlots;
        member.IsDraining = true;
    }

    /// <returns>What it had, in the order it took them.</returns>
    public IReadOnlyList<TakenTask> Leave(WorkerId worker)
    {
        if (!_members.Remove(worker, out var member))
            return [];
        _freeSlots -= member.FreeSlots;
        foreach (var executor in member.Handle.Offer.Executors)
            if (_byExecutor.TryGetValue(executor, out var offering) && offering.Remove(member) && offering.Count == 0)
                _byExecutor.Remove(executor);
        foreach (var taken in member.Taken.Values)
            Count(taken.Ready, -1);
        return [.. member.Taken.Values.OrderBy(taken => taken.Since)];
    }

    /// <summary>The one with the most free slots, so that work spreads; the first that joined among equals.</summary>
    public WorkerHandle? Choose(TenantId tenant, string executor)
    {
        Member? best = null;
        foreach (var member in Offering(tenant, executor))
            if (member.FreeSlots > (best?.FreeSlots ?? 0))
                best = member;
        return best?.Handle;
    }

    public void Take(TakenTask taken)
    {
        var member = _members[taken.Claim.Worker.Id];
        member.Taken[taken.Ready.Task] = taken;
        _freeSlots--;
        Count(taken.Ready, +1);
    }

    public TakenTask? Confirm(ClaimTask claim)
    {
        if (Find(claim) is not { } taken)
            return null;
        taken.IsConfirmed = true;
        return taken;
    }

    /// <summary>A claim that came to nothing. Null when it is not the one that holds the slot any more.</summary>
    public TakenTask? TakeBack(ClaimTask claim) => Find(claim) is { } taken ? Release(claim.Worker.Id, taken.Attempt) : null;

    /// <summary>What the workers have of a shard, in an order that is the same in every run.</summary>
    public IReadOnlyList<TakenTask> TakenOf(ShardId shard) =>
        [.. _members.Values.SelectMany(member => member.Taken.Values).Where(taken => taken.Ready.Shard == shard).OrderBy(taken => taken.Ready.Task.Value)];

    public IReadOnlyList<TakenTask> TakenAway =>
        [.. _members.Values.SelectMany(member => member.Taken.Values).Where(taken => taken.AwaySince is not null).OrderBy(taken => taken.Ready.Task.Value)];

    public TakenTask? Find(WorkerId worker, AttemptId attempt) =>
        _members.TryGetValue(worker, out var member) && member.Taken.TryGetValue(attempt.Task, out var taken) && taken.Attempt == attempt ? taken : null;

    public TakenTask? Release(WorkerId worker, AttemptId attempt)
    {
        if (Find(worker, attempt) is not { } taken)
            return null;
        var member = _members[worker];
        member.Taken.Remove(attempt.Task);
        if (!member.IsDraining)
            _freeSlots++;
        Count(taken.Ready, -1);
        return taken;
    }

    public (int Workers, int Slots, int Taken) Standing(TenantId tenant, string executor)
    {
        var offering = Offering(tenant, executor).Where(member => !member.IsDraining).ToList();
        return (offering.Count, offering.Sum(member => member.Handle.Offer.Slots), offering.Sum(member => member.Taken.Count));
    }

    private TakenTask? Find(ClaimTask claim) =>
        _members.TryGetValue(claim.Worker.Id, out var member) && member.Taken.TryGetValue(claim.Task, out var taken) && ReferenceEquals(taken.Claim, claim)
            ? taken
            : null;

    private IEnumerable<Member> Offering(TenantId tenant, string executor) =>
        _byExecutor.TryGetValue(executor, out var offering)
            ? offering.Where(member => member.Handle.Offer.Tenant is null || member.Handle.Offer.Tenant == tenant)
            : [];

    private void Count(ReadyTask ready, int change)
    {
        TakenCount += change;
        _runningByTenant[ready.Tenant] = RunningOf(ready.Tenant) + change;
        _runningByAgent[(ready.Tenant, ready.Agent ?? "")] = RunningOf(ready.Tenant, ready.Agent) + change;
    }

    private sealed class Member(WorkerHandle handle, int ordinal)
    {
        public WorkerHandle Handle => handle;
        public int Ordinal => ordinal;
        public Dictionary<TaskId, TakenTask> Taken { get; } = [];
        public bool IsDraining { get; set; }
        public int FreeSlots => IsDraining ? 0 : handle.Offer.Slots - Taken.Count;
    }
}
