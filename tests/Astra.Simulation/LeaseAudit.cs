using Astra.Kernel;
using Astra.Testing.Time;

namespace Astra.Simulation;

/// <summary>Watches the store give shards to nodes: never to another while the lease of the one that has them holds.</summary>
internal sealed class LeaseAudit(Verdict verdict, VirtualClock clock)
{
    private readonly Dictionary<ShardId, NodeId> _owners = [];
    private readonly Dictionary<NodeId, TimeSpan> _renewedAt = [];

    /// <summary>The same leases, watched.</summary>
    public IShardLeases Watch(IShardLeases leases) => new Watched(leases, this);

    private void Renewed(NodeRegistration self, LeaseRenewal renewal)
    {
        foreach (var shard in renewal.Owned.Keys)
        {
            if (_owners.TryGetValue(shard, out var owner) && owner != self.Node)
                verdict.Check(clock.Elapsed >= _renewedAt[owner] + SimulationOptions.ShardLease, $"Shard {shard} is given to {self.Node}, and {owner} has renewed its lease {(clock.Elapsed - _renewedAt[owner]).TotalSeconds} s before.");
            _owners[shard] = self.Node;
        }
        // What it gave back, and what an earlier life of the node had.
        foreach (var (shard, owner) in _owners)
            if (owner == self.Node && !renewal.Owned.ContainsKey(shard))
                _owners.Remove(shard);
        _renewedAt[self.Node] = clock.Elapsed;
    }

    private void Left(NodeRegistration self)
    {
        foreach (var (shard, owner) in _owners)
            if (owner == self.Node)
                _owners.Remove(shard);
    }

    private sealed class Watched(IShardLeases leases, LeaseAudit audit) : IShardLeases
    {
        public async ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
        {
            var renewal = await leases.RenewAsync(self, release, cancellationToken);
            audit.Renewed(self, renewal);
            return renewal;
        }

        public async ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken)
        {
            await leases.LeaveAsync(self, cancellationToken);
            audit.Left(self);
        }
    }
}
