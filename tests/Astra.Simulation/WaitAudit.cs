using Astra.Kernel;
using Astra.Kernel.Scheduling;
using Astra.Kernel.Tasks;
using Astra.Kernel.Workers;

namespace Astra.Simulation;

/// <summary>
/// Holds each tenant's wait for its first slot against the bound that the kernel states. Only where that bound is exact: on one node
/// on which nothing breaks, for tasks that every slot suits, and for tenants that no rate keeps back.
/// </summary>
internal sealed class WaitAudit(Verdict verdict, IClock clock, SimulationOptions options)
{
    // A slot is taken before its claim is durable, and free again after the end is: a commit each, and one before it on its way.
    private readonly TimeSpan _slotOverhead = 4 * options.Store.LatencyMax + TimeSpan.FromMilliseconds(50);

    private readonly bool _isExact = options is { NodeCount: 1, MailboxMax: null, Workers.PoisonShare: 0 } && options.IsCalm;
    private readonly Dictionary<TaskId, TimeSpan> _running = [];
    private readonly Dictionary<TenantId, TenantWait> _tenants = [];
    private readonly HashSet<string> _suitAll = [.. SimulatedWorker.Executors];
    private int _slots;
    private TimeSpan _longest;

    public void Joined(WorkerOffer offer)
    {
        _suitAll.IntersectWith(offer.Executors);
        _slots += offer.Slots;
    }

    /// <summary>From before it is asked for; a rate that is removed has been used up for a while yet.</summary>
    public void Limited(TenantId tenant) => WaitOf(tenant).HasRate = true;

    /// <param name="readySince">Null for a task that was not to begin before some time.</param>
    public void Claimed(TenantId tenant, TaskModel task, string executor, TimeSpan? readySince)
    {
        if (!_isExact)
            return;
        var now = clock.Elapsed;
        var wait = WaitOf(tenant);
        if (wait.RunningCount++ == 0 && !wait.HasRate && readySince is { } since && _suitAll.Contains(executor))
        {
            var waited = now - (since > wait.IdleSince ? since : wait.IdleSince);
            var longest = _running.Values.Select(began => now - began).Append(_longest).Max() + _slotOverhead;
            var bound = WaitBound.Of(_slots, PlanDice.Tenants.Count, longest);
            verdict.Check(waited <= bound, $"Tenant {tenant} has waited {waited.TotalSeconds} s for its first slot (task {task.Name}); with {_slots} slots, and tasks of at most {longest.TotalSeconds} s, {bound.TotalSeconds} s is the most.");
        }
        _running[task.Id] = now;
    }

    public void Ended(TenantId tenant, TaskId task)
    {
        if (!_isExact || !_running.Remove(task, out var began))
            return;
        var now = clock.Elapsed;
        if (now - began > _longest)
            _longest = now - began;
        var wait = WaitOf(tenant);
        if (--wait.RunningCount == 0)
            wait.IdleSince = now;
    }

    private TenantWait WaitOf(TenantId tenant) => _tenants.TryGetValue(tenant, out var wait) ? wait : _tenants[tenant] = new TenantWait();

    private sealed class TenantWait
    {
        public bool HasRate { get; set; }
        public int RunningCount { get; set; }
        public TimeSpan IdleSince { get; set; }
    }
}
