using Astra.Kernel.Controls;
using Astra.Kernel.InMemory;
using Astra.Kernel.Timers;
using Astra.Testing.Contracts;

namespace Astra.Kernel.Tests.Ports;

public sealed class InMemoryJournalTests : JournalContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryProjectionTests : ProjectionContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryRefusedRowsTests : RefusedRowsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryRowListsTests : RowListsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryShardLeasesTests : ShardLeasesContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryAgentStoreTests : AgentStoreContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryControlsTests : ControlsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => new(new MemoryUnderTest());
}

public sealed class InMemoryBusTests : BusContract
{
    protected override ValueTask<IBusUnderTest> OpenAsync() => new(new MemoryBusUnderTest());

    private sealed class MemoryBusUnderTest : IBusUnderTest
    {
        private readonly InMemoryBus _bus = new();

        public ValueTask<(IBus Bus, NodeRegistration Self)> JoinAsync(string name) =>
            new((_bus, new NodeRegistration(new NodeId(name), $"http://{name}", Guid.NewGuid())));

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>Leases are decided by the store's clock, and this one moves when a test says so.</summary>
internal sealed class MemoryUnderTest : IStoreUnderTest, IShardLeases, IClock
{
    private static readonly TimeSpan LeaseDuration = TimeSpan.FromSeconds(9);

    private readonly InMemoryStore _store;
    private readonly Dictionary<NodeId, NodeRegistration> _nodes = [];

    public MemoryUnderTest() => _store = new InMemoryStore(this, LeaseDuration);

    public IJournal Journal => _store.Journal;
    public IProjection Projection => _store.Projection;
    public IShardLeases Leases => this;
    public IAgentStore Agents => _store.Agents;
    public IControls Controls => _store.Controls;
    public ISchedules Schedules => _store.Schedules;

    public TimeSpan Elapsed { get; private set; }
    public DateTimeOffset UtcNow => DateTimeOffset.UnixEpoch + Elapsed;

    public ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
    {
        _nodes[self.Node] = self;
        return _store.Leases.RenewAsync(self, release, cancellationToken);
    }

    public ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken) => _store.Leases.LeaveAsync(self, cancellationToken);

    public ValueTask<TenantId> TenantAsync(string name) => new(new TenantId(Guid.NewGuid()));

    public async ValueTask ExpireAsync(NodeId node)
    {
        // Everybody else renews half-way, so that only this one is too late.
        Elapsed += LeaseDuration / 2;
        foreach (var other in _nodes.Values.Where(other => other.Node != node))
            await _store.Leases.RenewAsync(other, [], CancellationToken.None);
        Elapsed += LeaseDuration / 2;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
