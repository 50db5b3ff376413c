using System.Collections.Concurrent;
using System.Net;
using Astra.Sdk;
using Astra.Tests.Durability;
using Astra.Tests.Models;

namespace Astra.Tests.EndToEnd;

/// <summary>A cap holds for real servers on one real database, whatever is killed: counted by the provider, which knows what it delivered.</summary>
public sealed class FleetBudgetTests(PostgresFixture postgres) : IAsyncDisposable
{
    private const int CallCount = 256;
    private const int PaidCalls = 20;
    private const int DoomedCalls = 8;
    private const long Cap = PaidCalls * ModelServers.CallNanos;

    private readonly AstraMachine _machine = new();
    private readonly ConcurrentDictionary<string, (int Calls, long Nanos)> _delivered = new();

    // Until the test says otherwise, every answer is as long as it may be and comes at once.
    private volatile Func<int> _tokens = () => ModelServers.TokensMax;
    private volatile Task? _gate;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_256_parallel_calls_at_a_cap_for_exactly_20_exactly_20_are_made_by_1_by_2_and_by_4_servers()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, Answer);
        foreach (var places in (int[][])[[0], [1], [2, 3]])
        {
            await servers.StartAsync(places);
            var goal = await servers.NewGoalAsync(Cap);
            var outcomes = await Task.WhenAll(Enumerable.Range(0, CallCount).Select(call => servers.AskAsync(call % servers.Count, goal)));

            Assert.Equal((PaidCalls, CallCount - PaidCalls), (outcomes.Count(status => status == HttpStatusCode.OK), outcomes.Count(status => status == HttpStatusCode.TooManyRequests)));
            Assert.Equal((PaidCalls, Cap), _delivered[goal.ToString()]);
            var rest = await servers.AtRestAsync(goal, budget => budget.SpentNanos == Cap);
            Assert.Equal((0L, 0L), (rest.LostNanos, rest.LeftNanos));
        }
    }

    [Fact]
    public async Task Servers_that_are_killed_take_what_they_held_along_and_it_counts_as_spent_until_somebody_has_looked()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, Answer);
        await servers.StartAsync(0, 1, 2, 3);
        var (storm, held) = (await servers.NewGoalAsync(Cap), await servers.NewGoalAsync(Cap));

        // Answers of every length, a kill in the middle of them, and another process in its place.
        _tokens = () => Random.Shared.Next(ModelServers.TokensMax + 1);
        var calls = Enumerable.Range(0, CallCount).Select(call => servers.AskAsync(call % 4, storm)).ToList();
        await Eventually.HoldsAsync("some answers are out", () => Task.FromResult(_delivered.GetValueOrDefault(storm.ToString()).Calls >= 5));
        await servers.KillAsync(1);
        await servers.StartAsync(1);
        calls.AddRange(Enumerable.Range(0, CallCount).Select(call => servers.AskAsync(call % 4, storm)));
        var stormOutcomes = await Task.WhenAll(calls);
        Assert.InRange(_delivered[storm.ToString()].Nanos, 1, Cap);
        Assert.Contains(HttpStatusCode.OK, stormOutcomes);

        // Twenty calls are under way, some of them surely at those two of the four servers that die; nobody else is let in, before and after.
        var gate = new TaskCompletionSource();
        (_tokens, _gate) = (() => ModelServers.TokensMax, gate.Task);
        calls = [.. Enumerable.Range(0, DoomedCalls).Select(call => servers.AskAsync(2 + call % 2, held))];
        await Eventually.HoldsAsync("calls of those that will die at the provider", () => Task.FromResult(_delivered.GetValueOrDefault(held.ToString()).Calls == DoomedCalls));
        calls.AddRange(Enumerable.Range(0, CallCount - DoomedCalls).Select(call => servers.AskAsync(call % 4, held)));
        await Eventually.HoldsAsync("twenty calls at the provider", () => Task.FromResult(_delivered.GetValueOrDefault(held.ToString()).Calls == PaidCalls));
        await Task.WhenAll(servers.KillAsync(2), servers.KillAsync(3));
        var killedAt = DateTimeOffset.UtcNow;
        gate.SetResult();
        var outcomes = await Task.WhenAll(calls);
        await servers.StartAsync(2);
        var late = await Task.WhenAll(Enumerable.Range(0, CallCount).Select(call => servers.AskAsync(call % 3, held)));
        Assert.All(late, status => Assert.Equal(HttpStatusCode.TooManyRequests, status));
        Assert.Equal((PaidCalls, Cap), _delivered[held.ToString()]);
        Assert.InRange(outcomes.Count(status => status == HttpStatusCode.OK), 0, PaidCalls);

        // What died with them shows as lost when their time is over; spent and lost are the whole.
        foreach (var goal in (Guid[])[held, storm])
        {
            var rest = await servers.AtRestAsync(goal);
            Assert.InRange(rest.SpentNanos + rest.LostNanos, _delivered[goal.ToString()].Nanos, Cap);
        }
        Assert.True(DateTimeOffset.UtcNow - killedAt < TimeSpan.FromSeconds(60), "It took long to find out.");
        var lost = await servers.BudgetOfAsync(held);
        Assert.Equal(Cap, lost.SpentNanos + lost.LostNanos);
        Assert.InRange(lost.LostNanos, DoomedCalls * ModelServers.CallNanos, Cap);

        var forgiven = await servers.Client.ForgiveBudgetAsync(new BudgetForgiveRequest(BudgetLevel.Goal, held.ToString()), Ct);
        Assert.Equal(lost.LostNanos, forgiven.ForgivenNanos);
        var again = await Task.WhenAll(Enumerable.Range(0, CallCount).Select(call => servers.AskAsync(call % 3, held)));
        Assert.Equal(lost.LostNanos / ModelServers.CallNanos, again.Count(status => status == HttpStatusCode.OK));
        Assert.Equal((Cap, 0L), ((await servers.AtRestAsync(held, budget => budget.SpentNanos == Cap)).SpentNanos, (await servers.BudgetOfAsync(held)).LostNanos));
    }

    [Fact]
    public async Task What_calls_came_to_while_it_could_not_be_written_outlives_a_kill_and_is_written_by_the_next_process()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var servers = new ModelServers(_machine, database, Answer);
        await servers.StartAsync(0);
        var goal = Guid.NewGuid();
        Assert.Equal(HttpStatusCode.OK, await servers.AskAsync(0, goal));
        await Eventually.HoldsAsync("its record", async () => await CountAsync() == 1);
        await database.ScalarAsync("REVOKE INSERT ON model_usage FROM astra_journal");
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => servers.AskAsync(0, goal)));
        Assert.All(outcomes, status => Assert.Equal(HttpStatusCode.OK, status));
        var spool = Path.Combine(_machine.DataOf("server-0").Path, "usage.spool");
        await Eventually.HoldsAsync("a hundred records in the file", async () => File.Exists(spool) && (await File.ReadAllLinesAsync(spool, Ct)).Length == 100);

        await servers.KillAsync(0);
        await database.ScalarAsync("GRANT INSERT ON model_usage TO astra_journal");
        Assert.Equal(1, await CountAsync());
        await servers.StartAsync(0);
        await Eventually.HoldsAsync("all records in the database, each once", async () => await CountAsync() == 101);
        await Eventually.HoldsAsync("no file any more", () => Task.FromResult(!File.Exists(spool)));
        Assert.Equal(101 * ModelServers.CallNanos, await database.ScalarAsync("SELECT sum(cost_nanos)::bigint FROM model_usage"));

        async Task<long> CountAsync() => (long)(await database.ScalarAsync("SELECT count(*) FROM model_usage"))!;
    }

    public ValueTask DisposeAsync() => _machine.DisposeAsync();

    private ModelScript Answer(ModelRequest request)
    {
        var tokens = _tokens();
        var goal = request.Json.GetProperty("messages")[0].GetProperty("content").GetString()!;
        // At the latest now it costs: the provider does not know whether anybody still listens.
        _delivered.AddOrUpdate(goal, (1, ModelServers.CostOf(tokens)), (_, sum) => (sum.Calls + 1, sum.Nanos + ModelServers.CostOf(tokens)));
        return ModelServers.Answer(tokens, _gate);
    }
}
