namespace Astra.Kernel.InMemory;

/// <summary>The agents, in memory.</summary>
public sealed class InMemoryAgentStore : IAgentStore
{
    private readonly Lock _transaction;
    private readonly InMemoryShardLeases _leases;
    private readonly IClock _clock;
    private readonly SortedDictionary<(Guid Tenant, string Name), AgentRow> _rows = new(
        Comparer<(Guid Tenant, string Name)>.Create(static (left, right) =>
            left.Tenant != right.Tenant ? left.Tenant.CompareTo(right.Tenant) : string.CompareOrdinal(left.Name, right.Name)));

    internal InMemoryAgentStore(Lock transaction, InMemoryShardLeases leases, IClock clock) =>
        (_transaction, _leases, _clock) = (transaction, leases, clock);

    /// <summary>How often a row was loaded: once for each activation.</summary>
    public int LoadCount { get; private set; }

    public ValueTask<AgentRow?> RegisterAsync(TenantId tenant, AgentDefinition agent, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            if (!_rows.TryGetValue((tenant.Value, agent.Name), out var row))
                row = New(tenant, agent);
            else if (agent.Class is { } wanted && wanted != row.Class)
                return ValueTask.FromResult<AgentRow?>(null);
            row = row with { Description = agent.Description, IdleTimeout = agent.IdleTimeout ?? row.IdleTimeout };
            _rows[(tenant.Value, agent.Name)] = row;
            return ValueTask.FromResult<AgentRow?>(row);
        }
    }

    public ValueTask<int> CreateAsync(TenantId tenant, IReadOnlyList<AgentDefinition> agents, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(agents.Count(agent => _rows.TryAdd((tenant.Value, agent.Name), New(tenant, agent))));
    }

    public ValueTask<IReadOnlyList<AgentRow>> ListAsync(TenantId tenant, string? after, int countMax, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            return ValueTask.FromResult<IReadOnlyList<AgentRow>>(_rows.Values
                .Where(row => row.Tenant == tenant && (after is null || string.CompareOrdinal(row.Name, after) > 0))
                .Take(countMax).Select(row => row with { State = default }).ToArray());
        }
    }

    public ValueTask<AgentRow?> LoadAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            LoadCount++;
            return ValueTask.FromResult(_rows.GetValueOrDefault((tenant.Value, name)));
        }
    }

    public ValueTask<string?> FindClassAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult(_rows.GetValueOrDefault((tenant.Value, name))?.Class);
    }

    public ValueTask<IReadOnlyList<AgentSaveOutcome>> SaveAsync(IReadOnlyList<AgentSave> saves, CancellationToken cancellationToken)
    {
        lock (_transaction)
            return ValueTask.FromResult<IReadOnlyList<AgentSaveOutcome>>(saves.Select(Save).ToArray());
    }

    public ValueTask<AgentSaveOutcome> RemoveAsync(ShardId shard, Epoch epoch, TenantId tenant, string name, CancellationToken cancellationToken)
    {
        lock (_transaction)
        {
            return ValueTask.FromResult(
                !_leases.IsCurrent(shard, epoch) ? AgentSaveOutcome.Fenced
                : _rows.Remove((tenant.Value, name)) ? AgentSaveOutcome.Saved
                : AgentSaveOutcome.Stale);
        }
    }

    private AgentRow New(TenantId tenant, AgentDefinition agent) => new()
    {
        Tenant = tenant, Name = agent.Name, Class = agent.Class ?? agent.Name, Description = agent.Description, IdleTimeout = agent.IdleTimeout,
        RegisteredAt = _clock.UtcNow,
    };

    private AgentSaveOutcome Save(AgentSave save)
    {
        if (!_leases.IsCurrent(save.Shard, save.Epoch))
            return AgentSaveOutcome.Fenced;
        if (!_rows.TryGetValue((save.Tenant.Value, save.Name), out var row) || row.StateVersion != save.Version)
            return AgentSaveOutcome.Stale;
        _rows[(save.Tenant.Value, save.Name)] = row with { State = save.State.ToArray(), StateVersion = save.Version + 1, SavedAt = _clock.UtcNow };
        return AgentSaveOutcome.Saved;
    }
}
