using Astra.Kernel;
using Astra.Llm.Money;
using Astra.Postgres;
using Astra.Tests.Durability;

namespace Astra.Tests.Money;

/// <summary>A cap is a cap: never overspent by concurrency, replicas or the death of one.</summary>
public abstract class CapTests
{
    private const long Call = 1_000_000;
    private const int CallCount = 20;

    private static readonly TenantId Tenant = new(Guid.Parse("0197a000-0000-7000-8000-000000000001"));
    private static readonly Spender Ada = new(Tenant, "ada", Key: Guid.Parse("0197a000-0000-7000-8000-0000000000aa"));
    private static readonly BudgetKey OfTenant = new(Tenant, BudgetLevel.Tenant, "", BudgetWindow.Total);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>Each call is another node's view of the same store.</summary>
    protected abstract ValueTask<IBudgetStore> OpenStoreAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Of_256_parallel_calls_at_a_cap_for_exactly_20_exactly_20_are_made(int nodeCount)
    {
        var nodes = await StartAsync(nodeCount);
        await SetAsync(nodes[0], OfTenant, CallCount * Call);
        await SetAsync(nodes[0], OfTenant with { Level = BudgetLevel.Agent, Of = "ada", Window = BudgetWindow.Day }, 2 * CallCount * Call);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 256).Select(call => Task.Run(async () =>
        {
            var outcome = await nodes[call % nodeCount].Ledger.ReserveAsync(Ada, new Nanodollars(Call), Ct);
            if (outcome.Reservation is { } reservation)
            {
                reservation.Sent();
                await Task.Yield();
                await reservation.SettleAsync(new Nanodollars(Call));
            }
            return outcome;
        })));

        Assert.Equal(CallCount, outcomes.Count(outcome => outcome.Reservation is not null));
        Assert.All(outcomes.Where(outcome => outcome.Refusal is not null), outcome => Assert.Equal(
            (BudgetLevel.Tenant, BudgetWindow.Total, BudgetRefusalReason.Exceeded, new Nanodollars(CallCount * Call)),
            (outcome.Refusal!.Level, outcome.Refusal.Window, outcome.Refusal.Reason, outcome.Refusal.Cap)));
        await IsQuietAsync(nodes, spent: CallCount * Call, lost: 0);
        await StopAsync(nodes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task Whatever_calls_come_to_and_whichever_end_unsent_the_cap_is_not_passed_and_nothing_stays_reserved(int nodeCount)
    {
        for (var seed = 1; seed <= 5; seed++)
        {
            var nodes = await StartAsync(nodeCount);
            var key = OfTenant with { Level = BudgetLevel.Goal, Of = Guid.NewGuid().ToString() };
            var spender = Ada with { Goal = new GoalId(Guid.Parse(key.Of)) };
            await SetAsync(nodes[0], key, CallCount * Call);
            var (spent, held, highest) = (0L, 0L, 0L);

            await Task.WhenAll(Enumerable.Range(0, 256).Select(call => Task.Run(async () =>
            {
                var dice = new Random(seed * 1_000 + call);
                var worst = dice.NextInt64(1, 4 * Call);
                if ((await nodes[dice.Next(nodeCount)].Ledger.ReserveAsync(spender, new Nanodollars(worst), Ct)).Reservation is not { } reservation)
                    return;
                var now = Interlocked.Add(ref held, worst) + Volatile.Read(ref spent);
                InterlockedMax(ref highest, now);
                await Task.Yield();
                var actual = dice.Next(4) == 0 ? 0 : dice.NextInt64(0, worst + 1);
                // What it came to counts before what was held for it stops counting, or the sum above would miss it.
                Interlocked.Add(ref spent, actual);
                Interlocked.Add(ref held, -worst);
                if (actual == 0 && dice.Next(2) == 0)
                    await reservation.DisposeAsync();
                else
                    await reservation.SettleAsync(new Nanodollars(actual));
            })));

            Assert.InRange(spent, 1, CallCount * Call);
            await IsQuietAsync(nodes, spent, lost: 0, key);
            await StopAsync(nodes);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_node_that_dies_with_calls_under_way_takes_what_it_held_along_and_nobody_spends_it_again(int nodeCount)
    {
        var nodes = await StartAsync(nodeCount, lease: TimeSpan.FromMilliseconds(300));
        await SetAsync(nodes[0], OfTenant, CallCount * Call);
        var sent = 0;
        // The first node sends five calls, settles two of them, and is never heard of again.
        var lost = new List<Reservation>();
        for (var call = 0; call < 5; call++)
        {
            var reservation = (await nodes[0].Ledger.ReserveAsync(Ada, new Nanodollars(Call), Ct)).Reservation!;
            sent++;
            if (call < 2)
                await reservation.SettleAsync(new Nanodollars(Call));
            else
                lost.Add(reservation);
        }
        nodes[0].Store.Die();

        var made = await Task.WhenAll(Enumerable.Range(0, 256).Select(call => Task.Run(async () =>
        {
            if ((await nodes[1 + call % (nodeCount - 1)].Ledger.ReserveAsync(Ada, new Nanodollars(Call), Ct)).Reservation is not { } reservation)
                return 0;
            await reservation.SettleAsync(new Nanodollars(Call));
            return 1;
        })));

        Assert.InRange(sent + made.Sum(), 1, CallCount);
        Assert.Equal(CallCount - 5, made.Sum());
        var living = nodes[1..];
        var standing = await EventuallyAsync(living[0], standing => standing.Held == Nanodollars.Zero);
        Assert.Equal(CallCount * Call, standing.Spent.Value + standing.Lost.Value);
        Assert.True(standing.Lost.Value >= 3 * Call);
        Assert.Equal(Nanodollars.Zero, standing.Left);
        Assert.Equal(standing.Lost, await living[0].Store.ForgiveAsync(OfTenant, Ct));
        var after = await living[0].Ledger.ReserveAsync(Ada, new Nanodollars(3 * Call), Ct);
        Assert.NotNull(after.Reservation);
        await after.Reservation.DisposeAsync();
        await StopAsync(living);
    }

    [Fact]
    public async Task Answers_of_the_store_that_are_lost_cost_no_cap_and_are_put_right()
    {
        var nodes = await StartAsync(3);
        await SetAsync(nodes[0], OfTenant, 200 * Call);
        for (var i = 0; i < nodes.Length; i++)
            nodes[i].Store.LoseEvery(3, seed: i);
        var spent = 0L;
        await Task.WhenAll(Enumerable.Range(0, 900).Select(call => Task.Run(async () =>
        {
            if ((await nodes[call % 3].Ledger.ReserveAsync(Ada, new Nanodollars(Call), Ct)).Reservation is not { } reservation)
                return;
            Interlocked.Add(ref spent, Call);
            await Task.Yield();
            await reservation.SettleAsync(new Nanodollars(Call));
        })));
        foreach (var node in nodes)
            node.Store.LoseEvery(0, seed: 0);

        Assert.InRange(spent, 1, 200 * Call);
        await IsQuietAsync(nodes, spent, lost: 0);
        await StopAsync(nodes);
    }

    [Fact]
    public async Task What_went_back_in_a_report_that_was_lost_is_not_held_for_ever()
    {
        var nodes = await StartAsync(1);
        await SetAsync(nodes[0], OfTenant, 10 * Call);
        var reservation = (await nodes[0].Ledger.ReserveAsync(Ada, new Nanodollars(Call), Ct)).Reservation;
        Assert.NotNull(reservation);
        nodes[0].Store.IsCutOff = true;
        await reservation.SettleAsync(Nanodollars.Zero);
        await Assert.ThrowsAsync<IOException>(() => nodes[0].Ledger.FlushAsync(Ct));
        nodes[0].Store.IsCutOff = false;

        await IsQuietAsync(nodes, spent: 0, lost: 0);
        await StopAsync(nodes);
    }

    private async Task<Node[]> StartAsync(int count, TimeSpan? lease = null)
    {
        var nodes = new Node[count];
        for (var i = 0; i < count; i++)
        {
            var store = new LossyStore(await OpenStoreAsync());
            nodes[i] = new Node(store, new BudgetLedger(store, TimeProvider.System, new LedgerOptions
            {
                Node = $"node-{i}", Lease = lease ?? TimeSpan.FromSeconds(30), ReportPeriod = TimeSpan.FromMilliseconds(20), IdleTime = TimeSpan.FromMilliseconds(50),
            }));
        }
        return nodes;
    }

    private static async Task StopAsync(Node[] nodes)
    {
        foreach (var node in nodes)
            await node.Ledger.DisposeAsync();
    }

    private static async Task SetAsync(Node node, BudgetKey key, long cap) =>
        await node.Store.SetAsync(new Budget(key, new Nanodollars(cap), null, "test", DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, Ct);

    /// <summary>By itself, without anybody asking for it.</summary>
    private static async Task IsQuietAsync(Node[] nodes, long spent, long lost, BudgetKey? key = null)
    {
        var standing = await EventuallyAsync(nodes[0], standing => standing.Held == Nanodollars.Zero && standing.Spent.Value == spent, key);
        Assert.Equal((spent, 0L, lost), (standing.Spent.Value, standing.Held.Value, standing.Lost.Value));
    }

    private static async Task<BudgetStanding> EventuallyAsync(Node node, Func<BudgetStanding, bool> isSo, BudgetKey? key = null)
    {
        var deadline = DateTimeOffset.UtcNow.AddSeconds(20);
        while (true)
        {
            var standing = (await node.Store.ListAsync(Tenant, DateTimeOffset.UtcNow, Ct)).Single(standing => standing.Budget.Key == (key ?? OfTenant));
            if (isSo(standing) || DateTimeOffset.UtcNow > deadline)
                return standing;
            await Task.Yield();
        }
    }

    private static void InterlockedMax(ref long target, long value)
    {
        var seen = Volatile.Read(ref target);
        while (value > seen)
        {
            var before = Interlocked.CompareExchange(ref target, value, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    private sealed record Node(LossyStore Store, BudgetLedger Ledger);
}

public sealed class InMemoryCapTests : CapTests
{
    private readonly InMemoryBudgets _store = new(TimeProvider.System);

    protected override ValueTask<IBudgetStore> OpenStoreAsync() => new(_store);
}

/// <summary>Each node has a pool of connections of its own to one real database.</summary>
public sealed class PostgresCapTests(PostgresFixture postgres) : CapTests, IAsyncLifetime
{
    private TestDatabase _database = null!;

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    protected override async ValueTask<IBudgetStore> OpenStoreAsync() => (await _database.OpenStoreAsync()).Budgets;
}
