using Astra.Kernel.Shards;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Kernel.Scheduling;

/// <summary>A slot in use, from the moment the task is claimed.</summary>
/// <param name="Since">On the node's monotonic clock.</param>
/// <param name="Charge">What its tenant and agent were charged in advance.</param>
internal sealed record TakenTask(ReadyTask Ready, ClaimTask Claim, TimeSpan Since, TimeSpan Charge)
{
    public AttemptId Attempt => new(Ready.Task, Ready.AttemptBefore + 1);

    /// <summary>The claim is durable. Until then a shard that is lost takes it along.</summary>
    public bool IsConfirmed { get; set; }

    /// <summary>Set while its shard lives on another node: when the owner there was last known to count on this worker.</summary>
    public TimeSpan? AwaySince { get; set; }
}

/// <summary>The connected workers, what they offer, and their free slots.</summary>
internal sealed class WorkerPool
{
    private readonly Dictionary<WorkerId, Member> _members = [];
    private readonly Dictionary<string, List<Member>> _byExecutor = new(StringComparer.Ordinal);
    private int _freeSlots;
    private int _joinedCount;

    public bool HasFreeSlot => _freeSlots > 0;
    public int TakenCount { get; private set; }

    public IReadOnlyList<WorkerSummary> Summary =>
        [.. _members.Values.OrderBy(member => member.Ordinal).Select(member => new WorkerSummary(
            member.Handle.Id, member.Handle.Offer.Name, member.Handle.Offer.Tenant, member.Handle.Offer.Executors, member.Slots, member.Taken.Count)
        {
            Capabilities = member.Handle.Offer.Capabilities, IsDraining = member.IsDraining, SilentSince = member.SilentSince,
        })];

    public IEnumerable<KeyValuePair<TenantId, int>> RunningByTenant => _members.Values.SelectMany(member => member.Taken.Values).CountBy(taken => taken.Ready.Tenant);

    public IEnumerable<ShardId> ShardsOfTaken => _members.Values.SelectMany(member => member.Taken.Values).Select(taken => taken.Ready.Shard);

    public bool IsOffered(TenantId tenant, string executor) => Offering(tenant, executor).Any(member => member.IsOpen);

    public WorkerHandle? Handle(WorkerId worker) => _members.GetValueOrDefault(worker)?.Handle;

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
        _freeSlots += member.FreeSlots;
    }

    public void Drain(WorkerId worker) => Change(worker, member => member.IsDraining = true);

    /// <summary>A silent worker keeps what it has and is given nothing more.</summary>
    public void SetSilent(WorkerId worker, bool isSilent) => Change(worker, member => member.IsSilent = isSilent);

    public void Resize(WorkerId worker, int slots) => Change(worker, member => member.Slots = slots);

    public bool IsDraining(WorkerId worker) => _members.TryGetValue(worker, out var member) && member.IsDraining;

    /// <returns>What it had, in the order it took them.</returns>
    public IReadOnlyList<TakenTask> Leave(WorkerId worker)
    {
        if (!_members.Remove(worker, out var member))
            return [];
        _freeSlots -= member.FreeSlots;
        foreach (var executor in member.Handle.Offer.Executors)
            if (_byExecutor.TryGetValue(executor, out var offering) && offering.Remove(member) && offering.Count == 0)
                _byExecutor.Remove(executor);
        TakenCount -= member.Taken.Count;
        return [.. member.Taken.Values.OrderBy(taken => taken.Since)];
    }

    /// <summary>The one with the most free slots, so that work spreads; the first that joined among equals.</summary>
    public WorkerHandle? Choose(TenantId tenant, TaskClass what)
    {
        // Asked for every task that is handed out, so without an iterator.
        if (!_byExecutor.TryGetValue(what.Executor, out var offering))
            return null;
        Member? best = null;
        foreach (var member in offering)
            if (member.FreeSlots > (best?.FreeSlots ?? 0) && member.Serves(tenant) && member.Has(what.Requires))
                best = member;
        return best?.Handle;
    }

    /// <returns>What the worker had of the same task: an attempt that was decided to be over, and whose end is not durable yet.</returns>
    public TakenTask? Take(TakenTask taken)
    {
        var member = _members[taken.Claim.Worker.Id];
        var before = member.FreeSlots;
        if (member.Taken.Remove(taken.Ready.Task, out var over))
            TakenCount--;
        member.Taken.Add(taken.Ready.Task, taken);
        TakenCount++;
        Recount(member, before);
        return over;
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
        var before = member.FreeSlots;
        member.Taken.Remove(attempt.Task);
        Recount(member, before);
        TakenCount--;
        return taken;
    }

    /// <summary>The workers that could ever take such a task, and how full they are.</summary>
    public PoolStanding Standing(TenantId tenant, TaskClass what)
    {
        var offering = Offering(tenant, what.Executor).ToList();
        var able = offering.Where(member => member.Has(what.Requires)).ToList();
        var open = able.Where(member => member.IsOpen).ToList();
        var missing = Capabilities.Split(what.Requires).Where(one => !offering.Any(member => member.Has(one))).ToList();
        return new PoolStanding(offering.Count, able.Count, open.Count, open.Sum(member => member.Slots), open.Sum(member => member.Taken.Count), missing,
            [.. able.Where(member => member.IsSilent).Select(member => (member.Handle.Offer.Name, member.SilentSince ?? default))]);
    }

    public TimeSpan LongestSince(TimeSpan now) =>
        _members.Values.SelectMany(member => member.Taken.Values).Aggregate(TimeSpan.Zero, (longest, taken) => now - taken.Since > longest ? now - taken.Since : longest);

    private TakenTask? Find(ClaimTask claim) =>
        _members.TryGetValue(claim.Worker.Id, out var member) && member.Taken.TryGetValue(claim.Task, out var taken) && ReferenceEquals(taken.Claim, claim)
            ? taken
            : null;

    private IEnumerable<Member> Offering(TenantId tenant, string executor) =>
        _byExecutor.TryGetValue(executor, out var offering)
            ? offering.Where(member => member.Serves(tenant))
            : [];

    private void Change(WorkerId worker, Action<Member> change)
    {
        if (!_members.TryGetValue(worker, out var member))
            return;
        var before = member.FreeSlots;
        change(member);
        Recount(member, before);
    }

    /// <summary>The free slots of all are the sum of those of each, whatever changes about one.</summary>
    private void Recount(Member member, int before) => _freeSlots += member.FreeSlots - before;

    private sealed class Member(WorkerHandle handle, int ordinal)
    {
        private readonly HashSet<string> _capabilities = new(handle.Offer.Capabilities, StringComparer.Ordinal);

        public WorkerHandle Handle => handle;
        public int Ordinal => ordinal;
        public Dictionary<TaskId, TakenTask> Taken { get; } = [];
        public bool IsDraining { get; set; }

        /// <summary>What it offers now. It may have taken more when it offered more.</summary>
        public int Slots { get; set; } = handle.Offer.Slots;

        /// <summary>As the pulse said when this was last set, so that the count of free slots is of one moment.</summary>
        public bool IsSilent { get; set; } = handle.Pulse.SilentSince is not null;
        public TimeSpan? SilentSince => IsSilent ? handle.Pulse.SilentSince : null;

        public bool Serves(TenantId tenant) => handle.Offer.Tenant is not { } own || own == tenant;

        public bool IsOpen => !IsDraining && !IsSilent;
        public int FreeSlots => !IsOpen ? 0 : Math.Max(0, Slots - Taken.Count);

        /// <param name="requires">As in a task; null is nothing.</param>
        public bool Has(string? requires) => requires is null || _capabilities.Contains(requires) || requires.Split(' ').All(_capabilities.Contains);
    }
}

/// <param name="Offering">Workers with the executor's label.</param>
/// <param name="Able">Those among them with every capability that is required.</param>
/// <param name="Open">Those among them that neither drain nor are silent.</param>
/// <param name="Missing">Capabilities that none of those offering has.</param>
/// <param name="Silent">Those among the able that are silent, by name and since when.</param>
internal readonly record struct PoolStanding(
    int Offering, int Able, int Open, int Slots, int Taken, IReadOnlyList<string> Missing, IReadOnlyList<(string Name, TimeSpan Since)> Silent);
