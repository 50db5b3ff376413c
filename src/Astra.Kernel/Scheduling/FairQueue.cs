using Astra.Kernel.Controls;

namespace Astra.Kernel.Scheduling;

/// <summary>
/// Ready tasks in the order they should run: tenants share by weight, the agents of a tenant share the tenant's part by
/// weight, and among one agent's tasks priority and waiting time decide. Pure data; knows no actors and no clock.
/// </summary>
/// <remarks>
/// Virtual time as in Linux's completely fair scheduler: whoever has used the least slot time for its weight is next.
/// Priority is a head start in waiting time, which makes ageing free: the order of two tasks never changes while they
/// wait, and the lowest priority is overtaken only by what comes within 200 seconds after it.
/// </remarks>
internal sealed class FairQueue
{
    /// <summary>One point of priority is worth having waited this much longer.</summary>
    private static readonly TimeSpan PointOfPriority = TimeSpan.FromSeconds(1);

    // Who is neither waiting nor in debt is remembered only until there are twice as many.
    private const int IdleSharesMin = 1_024;

    private readonly Dictionary<TenantId, TenantShare> _tenants = [];
    private readonly Dictionary<TaskId, Waiting> _waiting = [];
    private readonly FairOrder<TenantShare> _order = new();
    private readonly Dictionary<(TenantId, string), double> _weights = [];
    private long _arrivals;
    private int _shareCount;
    private int _sweepAt = IdleSharesMin;

    public int Count => _waiting.Count;

    public int TenantsWaiting => _order.WaitingCount;

    public bool Contains(TaskId task) => _waiting.ContainsKey(task);

    /// <summary>Takes effect with the next task that is charged.</summary>
    public void Weigh(IEnumerable<TenantControls> controls)
    {
        _weights.Clear();
        foreach (var tenant in controls)
            foreach (var weight in tenant.Weights)
                _weights[(tenant.Tenant, weight.Agent)] = weight.Value / (double)Weight.Default;
        foreach (var (id, tenant) in _tenants)
        {
            tenant.Weight = _weights.GetValueOrDefault((id, ""), 1);
            foreach (var (name, agent) in tenant.Agents)
                agent.Weight = AgentWeight(id, name);
        }
    }

    public void Add(ReadyTask task, TimeSpan now)
    {
        Remove(task.Task);
        var tenant = TenantOf(task.Tenant);
        var agent = AgentOf(task.Tenant, tenant, task.Agent ?? "");
        if (tenant.WaitingCount == 0)
            _order.Join(tenant);
        if (agent.WaitingCount == 0)
            tenant.Order.Join(agent);
        var line = agent.Line(task.Class);
        var waiting = new Waiting(task, tenant, agent, line);
        _waiting[task.Task] = waiting;
        line.Order.Enqueue(waiting, ((Mutants.PriorityInversion ? now + PointOfPriority * task.Priority : now - PointOfPriority * task.Priority).Ticks, _arrivals++));
        tenant.WaitingCount++;
        agent.WaitingCount++;
    }

    public bool Remove(TaskId task)
    {
        if (!_waiting.Remove(task, out var waiting))
            return false;
        waiting.HasLeft = true;
        waiting.Line.Order.Leave();
        Leave(waiting);
        return true;
    }

    /// <summary>The next task that <paramref name="mayRun"/> lets run, charged with what it will at most use.</summary>
    /// <param name="mayRun">Asked for the first of each line: are there a slot and room below the limits?</param>
    /// <param name="longest">The longest that tasks take these days.</param>
    public ReadyTask? Take(Func<ReadyTask, bool> mayRun, Func<ReadyTask, TimeSpan> chargeOf, TimeSpan longest)
    {
        if (NextLine(mayRun) is not { } next)
            return null;
        var waiting = next.Line.Order.Dequeue();
        var charge = chargeOf(waiting.Task);
        _order.Serve(next.Tenant, longest, charge);
        next.Tenant.Order.Serve(next.Agent, longest, charge);
        _waiting.Remove(waiting.Task.Task);
        Leave(waiting);
        return waiting.Task;
    }

    private (TenantShare Tenant, AgentShare Agent, TaskLine Line)? NextLine(Func<ReadyTask, bool> mayRun)
    {
        // Nearly always whoever is first may run, or is the only one; going through a whole order costs an iterator.
        if (_order.First is not { } first)
            return null;
        if (first.Order.First is { } firstAgent && Best(firstAgent, mayRun) is { } firstLine)
            return (first, firstAgent, firstLine);
        if (_order.WaitingCount == 1 && first.Order.WaitingCount == 1)
            return null;
        foreach (var tenant in _order.Waiting)
            foreach (var agent in tenant.Order.Waiting)
                if (Best(agent, mayRun) is { } line)
                    return (tenant, agent, line);
        return null;
    }

    /// <summary>A task that was taken has used this, of what it was charged.</summary>
    public void Settle(ReadyTask task, TimeSpan charged, TimeSpan used)
    {
        if (!_tenants.TryGetValue(task.Tenant, out var tenant))
            return;
        _order.Settle(tenant, charged, used);
        if (tenant.Agents.TryGetValue(task.Agent ?? "", out var agent))
            tenant.Order.Settle(agent, charged, used);
    }

    /// <summary>How many wait, by tenant and executor label; only those who wait are visited.</summary>
    public IEnumerable<(TenantId Tenant, string Executor, int Count)> WaitingCounts() =>
        from tenant in _order.Waiting
        from agent in tenant.Order.Waiting
        from line in agent.Lines
        where line.Order.Count > 0
        select (tenant.Id, line.Executor, line.Order.Count);

    private static TaskLine? Best(AgentShare agent, Func<ReadyTask, bool> mayRun)
    {
        TaskLine? best = null;
        (long, long) bestKey = default;
        foreach (var line in agent.Lines)
        {
            if (line.Order.TryPeek(out var head, out var key) && (best is null || key.CompareTo(bestKey) < 0) && mayRun(head.Task))
                (best, bestKey) = (line, key);
        }
        return best;
    }

    private TenantShare TenantOf(TenantId id)
    {
        if (_tenants.TryGetValue(id, out var tenant))
            return tenant;
        Sweep();
        _shareCount++;
        return _tenants[id] = new TenantShare(id) { Weight = _weights.GetValueOrDefault((id, ""), 1) };
    }

    private AgentShare AgentOf(TenantId id, TenantShare tenant, string name)
    {
        if (tenant.Agents.TryGetValue(name, out var agent))
            return agent;
        _shareCount++;
        return tenant.Agents[name] = new AgentShare { Weight = AgentWeight(id, name) };
    }

    // The empty name is the tenant's own weight, and the share of goals without an agent has none.
    private double AgentWeight(TenantId tenant, string agent) => agent.Length == 0 ? 1 : _weights.GetValueOrDefault((tenant, agent), 1);

    private void Leave(Waiting waiting)
    {
        _waiting.GiveBackRoom(Room.KeptByNode);
        if (--waiting.Agent.WaitingCount == 0)
            waiting.Tenant.Order.Leave(waiting.Agent);
        if (--waiting.Tenant.WaitingCount == 0)
            _order.Leave(waiting.Tenant);
    }

    /// <summary>Forgets those who would start anew where they stand.</summary>
    private void Sweep()
    {
        if (_shareCount < _sweepAt)
            return;
        foreach (var (id, tenant) in _tenants.ToList())
        {
            foreach (var (name, agent) in tenant.Agents.ToList())
                if (IsIdle(agent, tenant.Order.Reached))
                    tenant.Agents.Remove(name);
            if (tenant.Agents.Count == 0 && IsIdle(tenant, _order.Reached))
                _tenants.Remove(id);
        }
        _shareCount = _tenants.Count + _tenants.Values.Sum(tenant => tenant.Agents.Count);
        _sweepAt = Math.Max(IdleSharesMin, 2 * _shareCount);
    }

    private static bool IsIdle(FairShare share, TimeSpan reached) => share.WaitingCount == 0 && share.VirtualTime <= reached;

    private sealed record Waiting(ReadyTask Task, TenantShare Tenant, AgentShare Agent, TaskLine Line)
    {
        public bool HasLeft { get; set; }
    }

    private sealed class TenantShare(TenantId id) : FairShare
    {
        public TenantId Id => id;

        public Dictionary<string, AgentShare> Agents { get; } = new(StringComparer.Ordinal);

        public FairOrder<AgentShare> Order { get; } = new();
    }

    private sealed class AgentShare : FairShare
    {
        private readonly Dictionary<TaskClass, TaskLine> _lines = [];

        public Dictionary<TaskClass, TaskLine>.ValueCollection Lines => _lines.Values;

        public TaskLine Line(TaskClass of)
        {
            if (_lines.TryGetValue(of, out var line))
                return line;
            // Lines that have run empty go when another comes.
            foreach (var (empty, _) in _lines.Where(one => one.Value.Order.Count == 0).ToList())
                _lines.Remove(empty);
            return _lines[of] = new TaskLine(of.Executor);
        }
    }

    private sealed class TaskLine(string executor)
    {
        public string Executor => executor;
        public WaitingLine<Waiting, (long, long)> Order { get; } = new(static waiting => waiting.HasLeft);
    }
}
