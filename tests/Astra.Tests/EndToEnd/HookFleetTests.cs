using Astra.Sdk;
using Astra.Tests.Api;
using Astra.Tests.Durability;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>One outbox, two servers that empty it.</summary>
public sealed class HookFleetTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int CauseCount = 12;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();
    private readonly int _port = HttpReceiver.FreePort();

    [Fact]
    public async Task Of_two_servers_that_live_exactly_one_sends_each_message()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var receiver = new HookReceiver(_port);
        using var servers = await TwoServers.StartAsync(_machine, database, "--hook-allow", "127.0.0.1");
        await using var worker = await TestWorker.StartAsync(servers.One, servers.Key, TestWorker.Picky());
        await using var otherWorker = await TestWorker.StartAsync(servers.Other, servers.Key, TestWorker.Picky());
        var hook = await servers.One.AddHookAsync(new HookRequest($"http://127.0.0.1:{_port}/astra"), None);

        // No digits and no letters of hexadecimal numbers: those are not part of a cause.
        var causes = Enumerable.Range(0, CauseCount).Select(number => $"bad-{new string((char)('g' + number), 3)}-1").ToArray();
        foreach (var (client, words) in ((AstraClient, string[])[])[(servers.One, causes[..6]), (servers.Other, causes[6..])])
            await client.SubmitAsync(TestWorker.Meal(words), cancellationToken: None);
        await Eventually.HoldsAsync(
            "every message is delivered",
            async () => (await servers.Other.GetHookAsync(hook.Hook.Id, None)).Deliveries is var all && all.Count == CauseCount && all.All(one => one.State == DeliveryState.Delivered),
            () => $"{receiver.Seen.Count} at the receiver. {servers.First} {servers.Second}");

        Assert.Equal(CauseCount, receiver.Seen.Count);
        Assert.Equal(CauseCount, receiver.Seen.Select(seen => seen.Id).Distinct().Count());
        Assert.Equal(CauseCount, receiver.Seen.Select(seen => seen.Data.GetProperty("reason").GetString()).Distinct().Count());
        Assert.All(receiver.Seen, seen => Assert.True(seen.IsSignedWith(hook.Secret)));
        var delivered = 0.0;
        foreach (var client in (AstraClient[])[servers.One, servers.Other])
        {
            var metrics = await ScrapeAsync(client, servers.Key);
            delivered += metrics["astra_hook_tries_total"].Value(("outcome", "delivered"));
            Assert.Equal((0, 0), (metrics["astra_hook_tries_total"].Value(("outcome", "failed")), metrics["astra_hook_tries_total"].Value(("outcome", "given_up"))));
            Assert.Equal((0, 0), (metrics["astra_hook_messages_waiting"].Value(), metrics["astra_hook_oldest_waiting_seconds"].Value()));
        }
        Assert.Equal(CauseCount, delivered);
    }

    [Fact]
    public async Task A_message_that_was_on_its_way_when_its_server_was_killed_is_sent_by_the_other_under_the_same_id()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var receiver = new HookReceiver(_port) { Answer = _ => null };
        var (first, second) = (_machine.DataOf("first"), _machine.DataOf("second"));
        string[] options = ["--database", database.Address, "--hook-allow", "127.0.0.1"];
        var dying = await _machine.ServeAsync(first, options);
        using var one = await AstraMachine.ClientAsync(first);
        var key = first.ReadAdminKey()!;
        var hook = await one.AddHookAsync(new HookRequest($"http://127.0.0.1:{_port}/astra"), None);
        HookRequestSeen begun;
        await using (await TestWorker.StartAsync(one, key, TestWorker.Picky()))
        {
            // A server that is there before the message could be the one that sends it.
            await one.SubmitAsync(TestWorker.Meal("bad-sour-1"), cancellationToken: None);
            begun = await receiver.SeesAsync(1);
            await dying.KillAsync();
        }
        receiver.Answer = _ => 204;
        var surviving = await _machine.ServeAsync(second, options);
        using var other = await AstraMachine.ClientAsync(second, keyFrom: first);
        var waiting = await ScrapeAsync(other, key);
        if (receiver.Seen.Count == 1)
            Assert.True(waiting["astra_hook_messages_waiting"].Value() == 1 && waiting["astra_hook_oldest_waiting_seconds"].Value() > 0);

        var again = await receiver.SeesAsync(2, surviving.ToString);
        Assert.Equal((begun.Id, true), (again.Id, again.IsSignedWith(hook.Secret)));
        Assert.Equal(begun.Body, again.Body);
        await Eventually.HoldsAsync("it is delivered", async () => (await other.GetHookAsync(hook.Hook.Id, None)).Deliveries is [{ State: DeliveryState.Delivered, Attempt: 2 }]);
        Assert.Equal(2, receiver.Seen.Count);
        var metrics = await ScrapeAsync(other, key);
        Assert.Equal((1, 0), (metrics["astra_hook_tries_total"].Value(("outcome", "delivered")), metrics["astra_hook_messages_waiting"].Value()));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static async Task<IReadOnlyDictionary<string, Family>> ScrapeAsync(AstraClient client, string key) =>
        PrometheusReader.Read(await AstraMachine.ScrapeAsync(client.Address, key));
}
