namespace Astra.Kernel;

/// <summary>
/// The agents of every tenant: a row each, asleep until somebody sends to it. Nothing polls these rows. What an agent
/// has declared its state is written only by the owner of the agent's shard, fenced by epoch like the log.
/// </summary>
public interface IAgentStore
{
    /// <summary>Adds the agent, or describes it anew; its state and when it was first registered stay.</summary>
    /// <returns>The row; null when there is an agent of that name and another class.</returns>
    ValueTask<AgentRow?> RegisterAsync(TenantId tenant, AgentDefinition agent, CancellationToken cancellationToken);

    /// <summary>Adds many in one statement. Those that are there already stay as they are.</summary>
    /// <returns>How many are new.</returns>
    ValueTask<int> CreateAsync(TenantId tenant, IReadOnlyList<AgentDefinition> agents, CancellationToken cancellationToken);

    /// <summary>By name. A cursor is the name of the last agent of the page before.</summary>
    ValueTask<IReadOnlyList<AgentRow>> ListAsync(TenantId tenant, string? after, int countMax, CancellationToken cancellationToken);

    ValueTask<AgentRow?> LoadAsync(TenantId tenant, string name, CancellationToken cancellationToken);

    /// <summary>Whose code runs the agent; null when there is no such agent.</summary>
    ValueTask<string?> FindClassAsync(TenantId tenant, string name, CancellationToken cancellationToken);

    /// <summary>One transaction: each save gets in whose epoch is its shard's and whose version is the row's, durable when
    /// this returns. One outcome per save, in the order given.</summary>
    ValueTask<IReadOnlyList<AgentSaveOutcome>> SaveAsync(IReadOnlyList<AgentSave> saves, CancellationToken cancellationToken);

    /// <summary>Deletes the row under the same fence; <see cref="AgentSaveOutcome.Stale"/> when there was none.</summary>
    ValueTask<AgentSaveOutcome> RemoveAsync(ShardId shard, Epoch epoch, TenantId tenant, string name, CancellationToken cancellationToken);
}

/// <param name="Class">The label of the code that runs it; null: its own name.</param>
/// <param name="IdleTimeout">After how long without a message it sleeps; null: the node's default.</param>
public sealed record AgentDefinition(string Name, string? Class = null, string Description = "", TimeSpan? IdleTimeout = null);

/// <summary>An agent as it was last committed.</summary>
public sealed record AgentRow
{
    public required TenantId Tenant { get; init; }
    public required string Name { get; init; }
    public required string Class { get; init; }
    public required string Description { get; init; }
    public TimeSpan? IdleTimeout { get; init; }

    /// <summary>What the agent declared, in whatever form its code reads; empty before the first save. Left out of lists.</summary>
    public ReadOnlyMemory<byte> State { get; init; }

    /// <summary>Counts the saves.</summary>
    public long StateVersion { get; init; }

    public required DateTimeOffset RegisteredAt { get; init; }
    public DateTimeOffset? SavedAt { get; init; }
}

/// <param name="Version">What the row's version is believed to be; the save makes it one more.</param>
public sealed record AgentSave(ShardId Shard, Epoch Epoch, TenantId Tenant, string Name, long Version, ReadOnlyMemory<byte> State);

public enum AgentSaveOutcome
{
    Saved,

    /// <summary>The shard has a newer owner; nothing was written.</summary>
    Fenced,

    /// <summary>The row is gone, or not of that version; nothing was written.</summary>
    Stale,
}
