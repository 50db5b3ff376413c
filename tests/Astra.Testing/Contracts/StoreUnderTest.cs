using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.Timers;
using Xunit;

namespace Astra.Testing.Contracts;

/// <summary>A fresh, empty store and the one thing that its ports cannot do: let time pass for a node.</summary>
public interface IStoreUnderTest : IAsyncDisposable
{
    IJournal Journal { get; }
    IProjection Projection { get; }
    IShardLeases Leases { get; }
    IAgentStore Agents { get; }

    /// <summary>A tenant that may have agents.</summary>
    ValueTask<TenantId> TenantAsync(string name);
    IControls Controls { get; }
    ISchedules Schedules { get; }

    /// <summary>The store now believes that this node has not renewed in time.</summary>
    ValueTask ExpireAsync(NodeId node);
}

/// <summary>What every contract needs: a store, and nodes that own shards in it.</summary>
public abstract class StoreContract : IAsyncLifetime
{
    protected static CancellationToken None => CancellationToken.None;

    protected IStoreUnderTest Store { get; private set; } = null!;

    protected abstract ValueTask<IStoreUnderTest> OpenAsync();

    public async ValueTask InitializeAsync() => Store = await OpenAsync();

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await Store.DisposeAsync();
    }

    protected static NodeRegistration Node(string name) => new(new NodeId(name), $"http://{name}.example:7000", Guid.NewGuid());

    protected ValueTask<LeaseRenewal> RenewAsync(NodeRegistration node, params ShardId[] release) =>
        Store.Leases.RenewAsync(node, release, None);

    /// <summary>The epochs of a node that owns everything.</summary>
    protected async ValueTask<IReadOnlyDictionary<ShardId, Epoch>> OwnEverythingAsync(string name = "a") => (await RenewAsync(Node(name))).Owned;

    /// <summary>Another node takes every shard over.</summary>
    protected async ValueTask<IReadOnlyDictionary<ShardId, Epoch>> TakeOverAsync(string from, string to)
    {
        await Store.ExpireAsync(new NodeId(from));
        return await OwnEverythingAsync(to);
    }
}
