namespace Astra.Kernel.Scheduling;

/// <summary>
/// Ready tasks in the order they should run: tenants share alike, agents of a tenant share the tenant's part alike, and
/// among one agent's tasks priority and waiting time decide. Pure data; knows no actors and no clock.
/// </summary>
/// <remarks>
/// Virtual time as in Linux's completely fair scheduler: whoever has used the least slot time is next. A newcomer starts
/// where the last one served stood, so that absence earns no credit. Priority is a head start in waiting time, which
/// makes ageing free: the order of two tasks never changes while they wait.
/// </remarks>
internal sealed class FairQueue
{
    /// <summary>One point of priority is worth having waited this much longer.</summary>
    private static readonly TimeSpan PointOfPriority = TimeSpan.FromSeconds(1);

    private readonly Dictionary<TenantId, TenantShare> _tenants = [];
    private readonly Dictionary<TaskId, Waiting> _waiting = [];
    private readonly FairOrder<TenantShare> _order = new();
    private long _arrivals;

    public int Count => _waiting.Count;

    public bool Contains(TaskId task) => _waiting.ContainsKey(task);

    public void Add(ReadyTask task, TimeSpan now)
    {
        Remove(task.Task);
        if (!_tenants.TryGetValue(task.Tenant, out var tenant))
            _tenants[task.Tenant] = tenant = new TenantShare(task.Tenant, _tenants.Count);
        var agent = tenant.Agent(task.Agent ?? "");

        if (tenant.WaitingCount == 0)
            _order.Join(tenant);
        if (agent.WaitingCount == 0)
            tenant.Order.Join(agent);
        var queue = agent.Queue(task.Executor);
        var waiting = new Waiting(task, tenant, agent, queue);
        _waiting[task.Task] = waiting;
        queue.WaitingCount++;
        queue.Order.Enqueue(waiting, ((now - PointOfPriority * task.Priority).Ticks, _arrivals++));
        tenant.WaitingCount++;
        agent.WaitingCount++;
    }

    public bool Remove(TaskId task)
    {
        if (!_waiting.Remove(task, out var waiting))
            return false;
        Leave(waiting);
        return true;
    }

    /// <summary>The next task that <paramref name="mayRun"/> lets run, charged with what it will probably use.</summary>
    /// <param name="mayRun">Asked for tenant, agent and executor label: are there a slot and room below the limits?</param>
    public ReadyTask? Take(Func<TenantId, string?, string, bool> mayRun, TimeSpan estimate)
    {
        foreach (var tenant in _order.Waiting)
        {
            foreach (var agent in tenant.Order.Waiting)
            {
                if (Best(agent, mayRun) is not { } queue)
                    continue;
                _order.Serve(tenant);
                tenant.Order.Serve(agent);
                var waiting = queue.Order.Dequeue();
                _waiting.Remove(waiting.Task.Task);
                Leave(waiting);
                Charge(waiting.Task, estimate);
                return waiting.Task;
            }
        }
        return null;
    }

    /// <summary>Slot time that a task has used, beyond what it was charged before; negative gives back.</summary>
    public void Charge(ReadyTask task, TimeSpan used)
    {
        if (!_tenants.TryGetValue(task.Tenant, out var tenant))
            return;
        _order.Charge(tenant, used);
        tenant.Order.Charge(tenant.Agent(task.Agent ?? ""), used);
    }

    /// <summary>How many wait, by tenant and executor label; only those who wait are visited.</summary>
    public IEnumerable<(TenantId Tenant, string Executor, int Count)> WaitingCounts() =>
        from tenant in _order.Waiting
        from agent in tenant.Order.Waiting
        from queue in agent.Queues
        where queue.WaitingCount > 0
        select (tenant.Id, queue.Executor, queue.WaitingCount);

    private static ExecutorQueue? Best(AgentShare agent, Func<TenantId, string?, string, bool> mayRun)
    {
        ExecutorQueue? best = null;
        (long, long) bestKey = default;
        foreach (var queue in agent.Queues)
        {
            while (queue.Order.TryPeek(out var head, out var key))
            {
                if (head.HasLeft)
                {
                    queue.Order.Dequeue();
                    continue;
                }
                if ((best is null || key.CompareTo(bestKey) < 0) && mayRun(head.Task.Tenant, head.Task.Agent, head.Task.Executor))
                    (best, bestKey) = (queue, key);
                break;
            }
        }
        return best;
    }

    private void Leave(Waiting waiting)
    {
        waiting.HasLeft = true;
        waiting.Queue.WaitingCount--;
        if (--waiting.Agent.WaitingCount == 0)
            waiting.Tenant.Order.Leave(waiting.Agent);
        if (--waiting.Tenant.WaitingCount == 0)
            _order.Leave(waiting.Tenant);
    }

    private sealed record Waiting(ReadyTask Task, TenantShare Tenant, AgentShare Agent, ExecutorQueue Queue)
    {
        public bool HasLeft { get; set; }
    }

    private abstract class Share(int ordinal)
    {
        public static readonly IComparer<Share> ByVirtualTime = Comparer<Share>.Create(
            (a, b) => (a.VirtualTime, a._ordinal).CompareTo((b.VirtualTime, b._ordinal)));

        private readonly int _ordinal = ordinal;

        public TimeSpan VirtualTime { get; set; }
        public int WaitingCount { get; set; }
    }

    /// <summary>Those who wait, by the virtual time they have used, and how far the whole has come.</summary>
    private sealed class FairOrder<T> where T : Share
    {
        private readonly SortedSet<T> _waiting = new(Share.ByVirtualTime);
        private TimeSpan _reached;

        public IEnumerable<T> Waiting => _waiting;

        public void Join(T share)
        {
            if (share.VirtualTime < _reached)
                share.VirtualTime = _reached;
            _waiting.Add(share);
        }

        public void Leave(T share) => _waiting.Remove(share);

        // Those ahead of it in line could not run, for want of a slot that suits them; they keep their place.
        public void Serve(T share)
        {
            if (share.VirtualTime > _reached)
                _reached = share.VirtualTime;
        }

        public void Charge(T share, TimeSpan used)
        {
            var isWaiting = _waiting.Remove(share);
            share.VirtualTime += used;
            if (isWaiting)
                _waiting.Add(share);
        }
    }

    private sealed class TenantShare(TenantId id, int ordinal) : Share(ordinal)
    {
        public TenantId Id => id;

        private readonly Dictionary<string, AgentShare> _agents = new(StringComparer.Ordinal);

        public FairOrder<AgentShare> Order { get; } = new();

        public AgentShare Agent(string name)
        {
            if (!_agents.TryGetValue(name, out var agent))
                _agents[name] = agent = new AgentShare(_agents.Count);
            return agent;
        }
    }

    private sealed class AgentShare(int ordinal) : Share(ordinal)
    {
        private readonly Dictionary<string, ExecutorQueue> _queues = new(StringComparer.Ordinal);

        public IEnumerable<ExecutorQueue> Queues => _queues.Values;

        public ExecutorQueue Queue(string executor)
        {
            if (!_queues.TryGetValue(executor, out var queue))
                _queues[executor] = queue = new ExecutorQueue(executor);
            return queue;
        }
    }

    private sealed class ExecutorQueue(string executor)
    {
        public string Executor => executor;
        public PriorityQueue<Waiting, (long, long)> Order { get; } = new();

        /// <summary>Those in the order that have not left.</summary>
        public int WaitingCount { get; set; }
    }
}
