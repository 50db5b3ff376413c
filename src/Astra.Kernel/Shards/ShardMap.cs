using Astra.Kernel.Actors;

namespace Astra.Kernel.Shards;

/// <summary>Where each shard is, as far as this node knows. Read by every request, written by the region only.</summary>
internal sealed class ShardMap
{
    private readonly ActorRef?[] _local = new ActorRef?[ShardId.Count];
    private readonly long[] _epochs = new long[ShardId.Count];
    private volatile IReadOnlyList<NodeRegistration?> _owners = [];
    private volatile IReadOnlyList<NodeStanding> _nodes = [];
    private volatile ListedShards _listed = new(0, []);
    private int _localChangeCount;
    private int _workingNodes = 1;

    public IReadOnlyList<NodeStanding> Nodes => _nodes;

    public ActorRef? Local(ShardId shard) => Volatile.Read(ref _local[shard.Value]);

    public NodeRegistration? Owner(ShardId shard) => _owners is { Count: ShardId.Count } owners ? owners[shard.Value] : null;

    /// <summary>The shards of this node, in order. Put together again after one has come or gone.</summary>
    public IReadOnlyList<ShardId> LocalShards
    {
        get
        {
            // The changes are read before the shards: one that comes meanwhile is a change more than this list knows of.
            var changeCount = Volatile.Read(ref _localChangeCount);
            var listed = _listed;
            if (listed.ChangeCount != changeCount)
                _listed = listed = new ListedShards(changeCount, [.. ShardId.All.Where(shard => Local(shard) is not null)]);
            return listed.Shards;
        }
    }

    /// <summary>A shard that some node has, by any number.</summary>
    public ShardId? AnyOwned(int start)
    {
        for (var i = 0; i < ShardId.Count; i++)
            if (Owner(new ShardId((start + i) % ShardId.Count)) is not null)
                return new ShardId((start + i) % ShardId.Count);
        return null;
    }

    /// <summary>Under which epoch a shard of this node lives; null when it is not here, or not loaded yet.</summary>
    public Epoch? LocalEpoch(ShardId shard) => Volatile.Read(ref _epochs[shard.Value]) is var epoch and not 0 ? new Epoch(epoch) : null;

    /// <summary>Whether there is another node that takes shards.</summary>
    public bool HasTakers(NodeId self) => _nodes.Any(standing => standing is { IsAlive: true, Node.IsDraining: false } && standing.Node.Node != self);

    /// <param name="epoch">The first is 1; none when the shard is not here.</param>
    public void SetLocal(ShardId shard, ActorRef? actor, Epoch epoch = default)
    {
        Volatile.Write(ref _epochs[shard.Value], epoch.Value);
        Volatile.Write(ref _local[shard.Value], actor);
        Interlocked.Increment(ref _localChangeCount);
    }

    /// <summary>The shard crashed and is given back before it is taken again: nobody may act in the name of its old epoch.</summary>
    public void ForgetEpoch(ShardId shard) => Volatile.Write(ref _epochs[shard.Value], 0);

    /// <summary>Nodes that hand out work, at least one: by them the limits are divided.</summary>
    public int WorkingNodes => Volatile.Read(ref _workingNodes);

    public void SetOwners(IReadOnlyList<NodeRegistration?> owners, IReadOnlyList<NodeStanding> nodes)
    {
        (_owners, _nodes) = (owners, nodes);
        Volatile.Write(ref _workingNodes, Math.Max(1, nodes.Count(standing => standing.IsAlive && !standing.Node.IsDraining)));
    }

    private sealed record ListedShards(int ChangeCount, IReadOnlyList<ShardId> Shards);
}
