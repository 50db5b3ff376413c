using Astra.Kernel.Controls;

namespace Astra.Kernel.Scheduling;

/// <summary>What keeps a task from starting although a slot may be free.</summary>
internal enum Barrier
{
    Paused,
    Concurrency,
    PerSecond,
    PerMinute,
}

/// <param name="Max">What was set, or the node's own bound.</param>
/// <param name="Share">This node's part of it.</param>
/// <param name="NextAt">When a rate lets the next one start, on the monotonic clock.</param>
internal readonly record struct Obstacle(Barrier Barrier, LimitScope Scope, string Name, int Running, int Max, int Share, TimeSpan NextAt, PausedAgent? Pause);

/// <summary>Who runs how much on this node, and who may run more: limits and pauses.</summary>
/// <remarks>
/// A node looks at its own tasks only. With several nodes each takes an equal part of a limit: at once rounded up, so
/// that nobody starves, and the fleet runs at most (nodes - 1) tasks more than was set; rates divided exactly.
/// </remarks>
internal sealed class LimitBook(IClock clock, KernelLimits limits, Func<int> nodeCount)
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly Dictionary<(TenantId, LimitScope, string), Account> _accounts = [];
    private readonly Dictionary<(TenantId, string), PausedAgent> _paused = [];

    private bool _isLoaded;

    /// <summary>The earliest moment at which a rate that has refused somebody since the last look has something again.</summary>
    public TimeSpan? NextToken { get; private set; }

    public void ForgetNextToken() => NextToken = null;

    public void Load(IEnumerable<TenantControls> controls)
    {
        foreach (var (_, account) in _accounts)
            account.Limit = null;
        _paused.Clear();
        foreach (var tenant in controls)
        {
            foreach (var limit in tenant.Limits)
                Open((tenant.Tenant, limit.Scope, limit.Name)).Limit = limit;
            foreach (var pause in tenant.PausedAgents)
                _paused[(tenant.Tenant, pause.Agent)] = pause;
        }
        foreach (var (key, account) in _accounts.ToList())
        {
            account.Divide(nodeCount(), clock.Elapsed, Begun);
            Close(key, account);
        }
        _isLoaded = true;
    }

    /// <summary>A bucket of a limit that was not here before. One that was set while this node looked is full. Of one that
    /// was there before the node, others may have used what there was, and go on as if they were alone until their next
    /// renewal tells them of this node: so much it owes.</summary>
    private TokenBucket Begun(double countMax, TimeSpan period) => _isLoaded
        ? new TokenBucket(countMax, period, clock.Elapsed)
        : TokenBucket.InDebt(countMax, period, clock.Elapsed, limits.LeaseRenewalInterval);

    public int RunningOf(TenantId tenant, LimitScope scope, string name) => _accounts.GetValueOrDefault((tenant, scope, name))?.Running ?? 0;

    public Obstacle? Find(ReadyTask task) => Find(task.Tenant, task.Agent, task.Class);

    /// <summary>The first thing that keeps such a task from starting; null when nothing does.</summary>
    public Obstacle? Find(TenantId tenant, string? agent, TaskClass what)
    {
        if (agent is not null && _paused.Count > 0 && _paused.TryGetValue((tenant, agent), out var pause))
            return new Obstacle(Barrier.Paused, LimitScope.Agent, agent, 0, 0, 0, default, pause);
        return Find(tenant, LimitScope.Tenant, "", limits.RunningTasksPerTenantMax)
            ?? Find(tenant, LimitScope.Agent, agent ?? "", limits.RunningTasksPerAgentMax)
            ?? (what.Queue is { } queue ? Find(tenant, LimitScope.Queue, queue, int.MaxValue) : null)
            ?? (what.Tool is { } tool ? Find(tenant, LimitScope.Tool, tool, int.MaxValue) : null);
    }

    /// <summary>It starts: it counts until it leaves, and has used what rates give.</summary>
    public void Enter(ReadyTask task) => Change(task, static account =>
    {
        account.Running++;
        account.TakeTokens();
    });

    public void Leave(ReadyTask task) => Change(task, static account => account.Running--);

    /// <summary>It goes on from before: it counts, and starts nothing.</summary>
    public void Adopt(ReadyTask task) => Change(task, static account => account.Running++);

    /// <summary>The claim came to nothing: what rates gave is given back.</summary>
    public void TakeBack(ReadyTask task) => Change(task, static account =>
    {
        account.Running--;
        account.GiveTokensBack();
    });

    private Obstacle? Find(TenantId tenant, LimitScope scope, string name, int boundOfNode)
    {
        if (!_accounts.TryGetValue((tenant, scope, name), out var account))
            return boundOfNode > 0 ? null : new Obstacle(Barrier.Concurrency, scope, name, 0, boundOfNode, boundOfNode, default, null);
        if (account.Limit is null)
            return account.Running < boundOfNode || Mutants.LimitIgnored ? null : new Obstacle(Barrier.Concurrency, scope, name, account.Running, boundOfNode, boundOfNode, default, null);
        account.Divide(nodeCount(), clock.Elapsed, Begun);
        var share = Math.Min(boundOfNode, account.Share);
        if (account.Running >= share)
            return new Obstacle(Barrier.Concurrency, scope, name, account.Running, Math.Min(boundOfNode, account.Limit.Concurrency ?? boundOfNode), share, default, null);
        return Wait(account.Second, Barrier.PerSecond, account.Limit.PerSecond) ?? Wait(account.Minute, Barrier.PerMinute, account.Limit.PerMinute);

        Obstacle? Wait(TokenBucket? bucket, Barrier barrier, int? max)
        {
            if (bucket is null || bucket.HasToken(clock.Elapsed))
                return null;
            var next = bucket.NextAt(clock.Elapsed);
            if (NextToken is null || next < NextToken)
                NextToken = next;
            return new Obstacle(barrier, scope, name, account.Running, max!.Value, 0, next, null);
        }
    }

    /// <summary>Every attempt comes by here when it begins and when it ends, so without an iterator.</summary>
    private void Change(ReadyTask task, Action<Account> change)
    {
        Change((task.Tenant, LimitScope.Tenant, ""), change);
        Change((task.Tenant, LimitScope.Agent, task.Agent ?? ""), change);
        if (task.Class.Queue is { } queue)
            Change((task.Tenant, LimitScope.Queue, queue), change);
        if (task.Class.Tool is { } tool)
            Change((task.Tenant, LimitScope.Tool, tool), change);
    }

    private void Change((TenantId, LimitScope, string) key, Action<Account> change)
    {
        var account = Open(key);
        change(account);
        Close(key, account);
    }

    private Account Open((TenantId, LimitScope, string) key)
    {
        if (!_accounts.TryGetValue(key, out var account))
            _accounts[key] = account = new Account();
        return account;
    }

    private void Close((TenantId, LimitScope, string) key, Account account)
    {
        if (account is { Running: 0, Limit: null })
            _accounts.Remove(key);
    }

    private sealed class Account
    {
        private Limit? _divided;
        private int _nodes;

        public Limit? Limit { get; set; }
        public int Running { get; set; }
        public int Share { get; private set; }
        public TokenBucket? Second { get; private set; }
        public TokenBucket? Minute { get; private set; }

        /// <summary>Nodes that come or go change the share and give nothing: full buckets on every node would be a burst of
        /// the whole rate each time.</summary>
        public void Divide(int nodes, TimeSpan now, Func<double, TimeSpan, TokenBucket> begun)
        {
            if (_divided == Limit && _nodes == nodes)
                return;
            var isNew = _divided != Limit;
            (_divided, _nodes) = (Limit, nodes);
            Share = Limit?.Concurrency is { } concurrency ? (int)(((long)concurrency + nodes - 1) / nodes) : int.MaxValue;
            Second = Bucket(Second, Limit?.PerSecond, LimitBook.Second);
            Minute = Bucket(Minute, Limit?.PerMinute, LimitBook.Minute);

            TokenBucket? Bucket(TokenBucket? before, int? count, TimeSpan period) =>
                count is not { } max ? null
                : before is null || isNew ? begun(max / (double)nodes, period)
                : before.Resize(max / (double)nodes, now);
        }

        public void TakeTokens()
        {
            Second?.Take();
            Minute?.Take();
        }

        public void GiveTokensBack()
        {
            Second?.GiveBack();
            Minute?.GiveBack();
        }
    }
}
