using Astra.Sdk;
using Astra.Tests.Durability;
using Counter;
using Xunit;

namespace Astra.Tests.EndToEnd;

/// <summary>Agents on real servers, which are killed.</summary>
public sealed class AgentLifeTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int AgentCount = 20;

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly AstraMachine _machine = new();

    [Fact]
    public async Task Every_agent_that_was_awake_when_its_server_was_killed_is_reached_by_sending_to_it()
    {
        var server = await _machine.ServeAsync(_machine.Data);
        using (var client = await AstraMachine.ClientAsync(_machine.Data))
        {
            await client.CreateAgentsAsync([.. Names().Select(name => new AgentRegistration(name) { Class = "counter" })], None);
            await using var worker = WorkerOf(client);
            await OffersAsync(client);
            foreach (var (name, number) in Names().Select((name, number) => (name, number)))
                Assert.Equal(number + 1, await AddAsync(client, name, number + 1));
            await server.KillAsync();
        }

        await _machine.ServeAsync(_machine.Data);
        using var again = await AstraMachine.ClientAsync(_machine.Data);
        await using var workerAgain = WorkerOf(again);
        await OffersAsync(again);
        foreach (var (name, number) in Names().Select((name, number) => (name, number)))
            Assert.Equal(number + 2, await AddAsync(again, name, 1));

        var shown = await _machine.Astra("agent", "show", "tally-3").EndsWithAsync(0);
        Assert.Contains("\"count\": 5", shown.Out, StringComparison.Ordinal);
        var sent = await _machine.Astra("send", "tally-3", """{"add": 2}""").EndsWithAsync(0);
        Assert.Contains("\"count\": 7", sent.Out, StringComparison.Ordinal);
        var refused = await _machine.Astra("send", "nobody", "{}").EndsWithAsync(1);
        Assert.Contains("There is no agent nobody", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Either_of_two_servers_takes_a_message_and_the_owner_of_the_agent_answers_it()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        var (one, other) = (servers.One, servers.Other);
        await one.CreateAgentsAsync([.. Names().Select(name => new AgentRegistration(name) { Class = "counter" })], None);
        await using var workerOfOne = WorkerOf(one, key: servers.Key);
        await using var workerOfOther = WorkerOf(other, key: servers.Key);
        await OffersAsync(one);
        await OffersAsync(other);

        foreach (var name in Names())
        {
            Assert.Equal(1, await EventuallyAddAsync(one, name, 1));
            Assert.Equal(2, await EventuallyAddAsync(other, name, 1));
        }
    }

    [Fact]
    public async Task A_worker_of_any_server_runs_the_agents_of_all_and_when_its_server_is_killed_another_does()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        using var servers = await TwoServers.StartAsync(_machine, database);
        var (one, other) = (servers.One, servers.Other);
        await one.CreateAgentsAsync([.. Names().Select(name => new AgentRegistration(name) { Class = "counter" })], None);
        await using (WorkerOf(other, key: servers.Key))
        {
            await OffersAsync(other);
            Assert.Equal(0, (await one.GetAgentAsync("tally-0", None)).WorkerCount);
            foreach (var name in Names())
            {
                Assert.Equal(1, await EventuallyAddAsync(one, name, 1));
                Assert.Equal(2, await EventuallyAddAsync(other, name, 1));
            }
            await servers.Second.KillAsync();
        }

        await using var successor = WorkerOf(one, key: servers.Key);
        await OffersAsync(one);
        foreach (var name in Names())
            Assert.Equal(3, await EventuallyAddAsync(one, name, 1));
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private static IEnumerable<string> Names() => Enumerable.Range(0, AgentCount).Select(number => $"tally-{number}");

    private static async Task<long> AddAsync(AstraClient client, string agent, long amount) =>
        (await client.SendAsync(agent, AstraJson.ToElement(new { add = amount }), None))!.Value.GetProperty("count").GetInt64();

    /// <summary>A shard that is on its way between two servers is a reason to ask again, and nothing was done with the message.</summary>
    private static async Task<long> EventuallyAddAsync(AstraClient client, string agent, long amount)
    {
        long? count = null;
        await Eventually.HoldsAsync($"an answer of {agent}", async () =>
        {
            try
            {
                count = await AddAsync(client, agent, amount);
                return true;
            }
            catch (AstraException e) when (e.Status == 503)
            {
                return false;
            }
        });
        return count!.Value;
    }

    private static Task OffersAsync(AstraClient client) => Eventually.HoldsAsync(
        "a worker that offers the class", async () => (await client.GetAgentAsync("tally-0", None)).WorkerCount > 0);

    private RunningWorker WorkerOf(AstraClient client, string? key = null) => new(client.Address, key ?? _machine.Data.ReadAdminKey()!);

    private sealed class RunningWorker : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _working;

        public RunningWorker(Uri address, string key) =>
            _working = new AstraWorker(address, key) { DrainTimeMax = TimeSpan.Zero }.Add(new CounterAgent()).RunAsync(_stop.Token);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _working;
            _stop.Dispose();
        }
    }
}
