using Astra.Sdk;
using Astra.Tests.Durability;

namespace Astra.Tests.EndToEnd;

/// <summary>Two server processes on one database, each with shards of its own, and a client of either.</summary>
/// <param name="One">Asks the first server.</param>
/// <param name="Other">Asks the second.</param>
/// <param name="Key">Opens both.</param>
internal sealed record TwoServers(AstraProcess First, AstraProcess Second, AstraClient One, AstraClient Other, string Key) : IDisposable
{
    public static async Task<TwoServers> StartAsync(AstraMachine machine, TestDatabase database, params string[] options)
    {
        var (first, second) = (machine.DataOf("first"), machine.DataOf("second"));
        string[] all = ["--database", database.Address, .. options];
        var servers = (First: await machine.ServeAsync(first, all), Second: await machine.ServeAsync(second, all));
        var started = new TwoServers(
            servers.First, servers.Second, await AstraMachine.ClientAsync(first), await AstraMachine.ClientAsync(second, keyFrom: first), first.ReadAdminKey()!);
        await Eventually.HoldsAsync(
            "every shard owned, and both servers owning some",
            async () => await started.Other.GetStatusAsync(CancellationToken.None) is var status
                && status.Nodes.Count(node => node is { Alive: true, Shards: > 0 }) == 2 && status.Nodes.Sum(node => node.Shards) == status.ShardsTotal);
        return started;
    }

    public void Dispose()
    {
        One.Dispose();
        Other.Dispose();
    }
}
