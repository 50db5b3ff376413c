namespace Astra.Kernel.InMemory;

/// <summary>
/// The durable ports in memory: the reference that every other store is tested against, and what a simulation
/// runs on. It outlives the nodes that use it, as a database does.
/// </summary>
/// <remarks>One lock over everything is what makes an append, a projection or a renewal one transaction. Nothing in
/// here awaits, so a simulation meets no thread that it did not start.</remarks>
public sealed class InMemoryStore
{
    /// <param name="clock">The store's own clock: leases are decided by the database's time, never by a node's.</param>
    /// <param name="shards">Those that nodes can own; all 4,096 when it is left out. A small world has nothing to put into
    /// most of them, and an actor for each would be most of its cost.</param>
    public InMemoryStore(IClock clock, TimeSpan leaseDuration, IReadOnlyList<ShardId>? shards = null)
    {
        var transaction = new Lock();
        Leases = new InMemoryShardLeases(transaction, clock, leaseDuration, shards ?? [.. ShardId.All]);
        Journal = new InMemoryJournal(transaction, Leases);
        Projection = new InMemoryProjection(transaction, Leases);
        Agents = new InMemoryAgentStore(transaction, Leases, clock);
        Controls = new InMemoryControls(transaction);
        Schedules = new InMemorySchedules(transaction);
    }

    public InMemoryJournal Journal { get; }
    public InMemoryProjection Projection { get; }
    public InMemoryShardLeases Leases { get; }
    public InMemoryAgentStore Agents { get; }
    public InMemoryControls Controls { get; }
    public InMemorySchedules Schedules { get; }
}
