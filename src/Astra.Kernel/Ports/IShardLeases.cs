namespace Astra.Kernel;

/// <summary>
/// Who owns which shard, decided in the source of truth. A node that renews in time keeps what it has; a node that
/// does not loses everything at once, and each shard that changes hands gets a higher epoch.
/// </summary>
public interface IShardLeases
{
    /// <summary>
    /// Says that this node lives, gives back <paramref name="release"/>, takes free and expired shards up to a fair
    /// share of the living nodes, and answers what is owned now. A node that comes back under the same id with another
    /// incarnation gets its own shards at once, under new epochs.
    /// </summary>
    ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken);

    /// <summary>Gives everything back at once: a clean stop.</summary>
    ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken);
}

/// <param name="Address">Where other nodes and clients reach it.</param>
/// <param name="Incarnation">New with every start of the process.</param>
public sealed record NodeRegistration(NodeId Node, string Address, Guid Incarnation)
{
    /// <summary>It wants no shards while another node can have them: its fair share is none.</summary>
    public bool IsDraining { get; init; }
}

/// <param name="Duration">How long the ownership holds, counted by the node's monotonic clock from before it asked.</param>
/// <param name="Owned">Every shard of this node, with its epoch.</param>
/// <param name="Surplus">Shards beyond the fair share: stop them, then release them with the next renewal.</param>
/// <param name="Owners">For each of the 4,096 shards the living node that owns it, or null.</param>
public sealed record LeaseRenewal(
    TimeSpan Duration,
    IReadOnlyDictionary<ShardId, Epoch> Owned,
    IReadOnlyList<ShardId> Surplus,
    IReadOnlyList<NodeRegistration?> Owners,
    IReadOnlyList<NodeStanding> Nodes);

public sealed record NodeStanding(NodeRegistration Node, int ShardCount, bool IsAlive);
