namespace Astra.Kernel.InMemory;

/// <summary>Shard ownership in memory; also holds the epochs that fence the log and the rows.</summary>
public sealed class InMemoryShardLeases : IShardLeases
{
    private readonly Lock _transaction;
    private readonly IClock _clock;
    private readonly TimeSpan _leaseDuration;
    private readonly IReadOnlyList<ShardId> _shards;

    private readonly long[] _epochs = new long[ShardId.Count];
    private readonly NodeId?[] _owners = new NodeId?[ShardId.Count];
    private readonly SortedDictionary<string, Lease> _leases = new(StringComparer.Ordinal);

    internal InMemoryShardLeases(Lock transaction, IClock clock, TimeSpan leaseDuration, IReadOnlyList<ShardId> shards)
    {
        _transaction = transaction;
        _clock = clock;
        _leaseDuration = leaseDuration;
        _shards = shards;
    }

    internal DateTimeOffset Now => _clock.UtcNow;

    public ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            var before = OwnedBy(self.Node).ToHashSet();
            FreeExpired();
            if (_leases.TryGetValue(self.Node.Value, out var earlier) && earlier.Registration.Incarnation != self.Incarnation)
                Free(before);
            else
                Free(release.Where(shard => _owners[shard.Value] == self.Node));
            _leases[self.Node.Value] = new Lease(self, _clock.Elapsed + _leaseDuration);

            var fairShare = FairShareOf(self);
            TakeFree(self.Node, fairShare, before);
            return ValueTask.FromResult(Describe(self.Node, fairShare));
        }
    }

    public ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_transaction)
        {
            // A process that stops late must not take the shards from the one that has replaced it.
            if (_leases.TryGetValue(self.Node.Value, out var lease) && lease.Registration.Incarnation == self.Incarnation)
            {
                Free(OwnedBy(self.Node));
                _leases.Remove(self.Node.Value);
            }
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>The fence. The caller holds the store's lock, so the answer stays true until its transaction is over.</summary>
    internal bool IsCurrent(ShardId shard, Epoch epoch) => _epochs[shard.Value] == epoch.Value;

    /// <summary>Rounded up, so that the shares of all nodes that take any always cover every shard. When all of them drain,
    /// draining means nothing: somebody has to have the shards.</summary>
    private int FairShareOf(NodeRegistration self)
    {
        var taking = _leases.Values.Count(lease => IsAlive(lease) && !lease.Registration.IsDraining);
        if (taking == 0)
            taking = _leases.Values.Count(IsAlive);
        else if (self.IsDraining)
            return 0;
        return (_shards.Count + taking - 1) / taking;
    }

    private bool IsAlive(Lease lease) => lease.ExpiresAt > _clock.Elapsed;

    private IEnumerable<ShardId> OwnedBy(NodeId node) => _shards.Where(shard => _owners[shard.Value] == node);

    private void FreeExpired()
    {
        foreach (var lease in _leases.Values.Where(lease => !IsAlive(lease) || Mutants.TwoLeases))
            Free(OwnedBy(lease.Registration.Node));
    }

    private void Free(IEnumerable<ShardId> shards)
    {
        foreach (var shard in shards)
            _owners[shard.Value] = null;
    }

    /// <summary>What it had before it was away comes first, so that a restart moves no shard that need not move.</summary>
    private void TakeFree(NodeId node, int fairShare, HashSet<ShardId> before)
    {
        var wanted = fairShare - OwnedBy(node).Count();
        if (wanted <= 0)
            return;
        var free = _shards.Where(shard => _owners[shard.Value] is null).OrderByDescending(before.Contains).ThenBy(shard => shard);
        foreach (var shard in free.Take(wanted).ToArray())
        {
            if (!Mutants.TakeoverKeepsEpoch || _epochs[shard.Value] == 0)
                _epochs[shard.Value]++;
            _owners[shard.Value] = node;
        }
    }

    private LeaseRenewal Describe(NodeId self, int fairShare)
    {
        var owned = OwnedBy(self).ToArray();
        var owners = new NodeRegistration?[ShardId.Count];
        foreach (var shard in _shards)
            if (_owners[shard.Value] is { } owner)
                owners[shard.Value] = _leases[owner.Value].Registration;
        return new LeaseRenewal(
            _leaseDuration,
            owned.ToDictionary(shard => shard, shard => new Epoch(_epochs[shard.Value])),
            owned.Skip(fairShare).ToArray(),
            owners,
            _leases.Values.Select(lease => new NodeStanding(
                lease.Registration, OwnedBy(lease.Registration.Node).Count(), IsAlive(lease))).ToArray());
    }

    private sealed record Lease(NodeRegistration Registration, TimeSpan ExpiresAt);
}
