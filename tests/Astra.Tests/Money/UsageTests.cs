using Astra.Kernel;
using Astra.Llm.Money;
using Astra.Postgres;
using Astra.Tests.Durability;

namespace Astra.Tests.Money;

/// <summary>What attempts came to is written behind the calls, once for each, and never dropped.</summary>
public sealed class UsageTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly DateTimeOffset Noon = new(2031, 2, 3, 12, 0, 0, TimeSpan.Zero);
    private static readonly UsageWriterOptions Quick = new() { GatherTime = TimeSpan.FromMilliseconds(1), TroublePeriod = TimeSpan.FromMilliseconds(10), BatchMax = 50, QueueMax = 100 };

    private readonly TenantId _tenant = new(Guid.NewGuid());
    private readonly string _directory = Directory.CreateTempSubdirectory("astra-usage-").FullName;
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string SpoolPath => Path.Combine(_directory, "usage.spool");

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_record_is_there_once_however_often_it_is_written_and_sums_are_of_one_tenant()
    {
        var other = new TenantId(Guid.NewGuid());
        var one = Record("m1", 1_000) with { Spender = new Spender(_tenant, "ada", new GoalId(Guid.NewGuid()), new TaskId(Guid.NewGuid()), Guid.NewGuid()) };
        var unpriced = Record("m2", null);
        await _store.Usage.WriteAsync([one, one, unpriced], Ct);
        await _store.Usage.WriteAsync([one with { Cost = new Nanodollars(9) }, Record("m1", 500) with { At = Noon.AddDays(1) }, Record("m1", 7) with { Spender = new Spender(other) }], Ct);

        var byModel = await SumAsync(UsageGrouping.Model);
        Assert.Equal([("p/m1", 2L, 1_500L, 0L), ("p/m2", 1L, 0L, 1L)], byModel.Select(sum => (sum.Of, sum.Calls, sum.Cost.Value, sum.UnpricedCalls)));
        Assert.Equal(new TokenUsage(20, 4, 2, 10, 6), byModel[0].Usage);
        Assert.Equal([("2031-02-03", 2L), ("2031-02-04", 1L)], (await SumAsync(UsageGrouping.Day)).Select(sum => (sum.Of, sum.Calls)));
        Assert.Equal([("ada", 1_000L), ("", 500L)], (await SumAsync(UsageGrouping.Agent)).Select(sum => (sum.Of, sum.Cost.Value)));
        Assert.Contains(await SumAsync(UsageGrouping.Goal), sum => sum.Of == one.Spender.Goal!.Value.ToString());
        Assert.Contains(await SumAsync(UsageGrouping.Key), sum => sum.Of == one.Spender.Key!.Value.ToString());
    }

    [Fact]
    public async Task While_the_database_is_away_records_wait_in_a_file_and_are_written_when_it_is_back()
    {
        var store = new UnreliableUsage(_store.Usage) { IsAway = true };
        await using var writer = new UsageWriter(store, new UsageSpool(SpoolPath), TimeProvider.System, Quick);
        var records = Enumerable.Range(0, 1_000).Select(i => Record("m1", i)).ToList();
        foreach (var record in records)
            await writer.WriteAsync(record, Ct);
        while (!writer.IsSpooling)
            await Task.Yield();
        store.IsAway = false;

        var deadline = DateTimeOffset.UtcNow.AddSeconds(30);
        while ((await SumAsync(UsageGrouping.Model)).Sum(sum => sum.Calls) < records.Count && DateTimeOffset.UtcNow < deadline)
            await Task.Yield();
        Assert.Equal((1_000L, records.Sum(record => record.Cost!.Value.Value)), (await SumAsync(UsageGrouping.Model)).Select(sum => (sum.Calls, sum.Cost.Value)).Single());
    }

    [Fact]
    public async Task What_waits_at_the_end_is_written_and_what_cannot_be_is_found_by_the_next_process()
    {
        var record = Record("m1", 42) with { Spender = new Spender(_tenant, "ada", new GoalId(Guid.NewGuid()), Key: Guid.NewGuid()), TimeToFirstToken = TimeSpan.FromMilliseconds(3) };
        await using (var writer = new UsageWriter(_store.Usage, new UsageSpool(SpoolPath), TimeProvider.System))
            await writer.WriteAsync(Record("m0", 1), Ct);
        await using (var writer = new UsageWriter(new UnreliableUsage(_store.Usage) { IsAway = true }, new UsageSpool(SpoolPath), TimeProvider.System, Quick))
            await writer.WriteAsync(record, Ct);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SpoolPath));
        Assert.Equal(record, new UsageSpool(SpoolPath).Read(10).Single().Single());
        await File.AppendAllTextAsync(SpoolPath, "{\"Attempt\":\"half of", Ct);

        await using (new UsageWriter(_store.Usage, new UsageSpool(SpoolPath), TimeProvider.System, Quick))
        {
        }
        Assert.False(File.Exists(SpoolPath));
        Assert.Equal([("p/m1", 42L), ("p/m0", 1L)], (await SumAsync(UsageGrouping.Model)).Select(sum => (sum.Of, sum.Cost.Value)));
    }

    [Fact]
    public async Task A_budget_counts_from_the_beginning_of_its_window_what_was_spent_before_it_was_set()
    {
        await _store.Usage.WriteAsync([Record("m1", 100), Record("m1", 30) with { At = Noon.AddDays(-1) }, Record("m1", 1_000) with { At = Noon.AddDays(-40) }], Ct);
        foreach (var window in Enum.GetValues<BudgetWindow>())
            await _store.Budgets.SetAsync(new Budget(new BudgetKey(_tenant, BudgetLevel.Tenant, "", window), new Nanodollars(5_000), null, "test", Noon), Noon, Ct);
        Assert.Equal([100L, 130L, 1_130L], (await _store.Budgets.ListAsync(_tenant, Noon, Ct)).Select(standing => standing.Spent.Value));
    }

    [Fact]
    public async Task A_budget_that_was_removed_and_is_set_again_counts_what_was_spent_without_it()
    {
        var budget = new Budget(new BudgetKey(_tenant, BudgetLevel.Tenant, "", BudgetWindow.Day), new Nanodollars(5_000), null, "test", Noon);
        await _store.Budgets.SetAsync(budget, Noon, Ct);
        await _store.Budgets.SetAsync(budget with { Cap = null }, Noon, Ct);
        await _store.Usage.WriteAsync([Record("m1", 100)], Ct);
        await _store.Budgets.SetAsync(budget, Noon, Ct);
        Assert.Equal(100, Assert.Single(await _store.Budgets.ListAsync(_tenant, Noon, Ct)).Spent.Value);
        // One that stays is counted by its ledgers, and not a second time.
        await _store.Usage.WriteAsync([Record("m1", 30)], Ct);
        await _store.Budgets.SetAsync(budget with { Cap = new Nanodollars(6_000) }, Noon, Ct);
        Assert.Equal(100, Assert.Single(await _store.Budgets.ListAsync(_tenant, Noon, Ct)).Spent.Value);
    }

    [Fact]
    public async Task Where_there_is_room_neither_in_the_database_nor_on_the_disk_callers_wait_and_nothing_is_dropped()
    {
        var store = new UnreliableUsage(_store.Usage) { IsAway = true };
        var nowhere = Path.Combine(_directory, "not", "there", "usage.spool");
        var writer = new UsageWriter(store, new UsageSpool(nowhere), TimeProvider.System, Quick);
        var writing = Enumerable.Range(0, 400).Select(i => writer.WriteAsync(Record("m1", i), Ct).AsTask()).ToList();
        Assert.Contains(writing, caller => !caller.IsCompleted);
        store.IsAway = false;
        await Task.WhenAll(writing);
        await writer.DisposeAsync();
        Assert.Equal(400, (await SumAsync(UsageGrouping.Model)).Single().Calls);
    }

    [Fact]
    public async Task The_database_is_asked_once_more_at_the_end_for_what_the_disk_does_not_take()
    {
        var store = new UnreliableUsage(_store.Usage) { IsAway = true };
        var nowhere = Path.Combine(_directory, "not", "there", "usage.spool");
        var isWaiting = new TaskCompletionSource();
        var writer = new UsageWriter(store, new UsageSpool(nowhere), TimeProvider.System, Quick with { TroublePeriod = TimeSpan.FromHours(1) }, said =>
        {
            if (said.Contains("calls wait", StringComparison.Ordinal))
                isWaiting.TrySetResult();
        });
        for (var i = 0; i < 120; i++)
            await writer.WriteAsync(Record("m1", i), Ct);
        await isWaiting.Task.WaitAsync(TimeSpan.FromSeconds(30), Ct);
        store.IsAway = false;
        await writer.DisposeAsync();
        Assert.Equal(120, (await SumAsync(UsageGrouping.Model)).Single().Calls);
    }

    [Fact]
    public async Task A_call_that_ends_after_its_server_is_found_by_the_next_process()
    {
        var writer = new UsageWriter(_store.Usage, new UsageSpool(SpoolPath), TimeProvider.System, Quick);
        await writer.DisposeAsync();
        await writer.WriteAsync(Record("m1", 5), Ct);
        await using (new UsageWriter(_store.Usage, new UsageSpool(SpoolPath), TimeProvider.System, Quick))
        {
        }
        Assert.Equal(5, (await SumAsync(UsageGrouping.Model)).Single().Cost.Value);
    }

    [Fact]
    public async Task Prices_are_added_with_their_sizes_and_never_changed()
    {
        var price = new ModelPrice("p", "m", Noon, PerMillionTokens.Of(new(3), new(4)), new LargeInputPrice(200_000, PerMillionTokens.Of(new(6), new(8))));
        Assert.True(await _store.Prices.AddAsync(price, "test", Noon, Ct));
        Assert.False(await _store.Prices.AddAsync(price with { LargeInput = null, Rates = PerMillionTokens.Of(new(1), new(1)) }, "test", Noon, Ct));
        Assert.True(await _store.Prices.AddAsync(price with { ValidFrom = Noon.AddDays(1), LargeInput = null }, "test", Noon, Ct));
        Assert.Equal([price, price with { ValidFrom = Noon.AddDays(1), LargeInput = null }], await _store.Prices.ListAsync(Ct));
    }

    private ValueTask<IReadOnlyList<UsageSum>> SumAsync(UsageGrouping by) => _store.Usage.SumAsync(_tenant, by, Noon.AddDays(-100), Noon.AddDays(100), 100, Ct);

    private UsageRecord Record(string model, long? cost) => new(
        Guid.CreateVersion7(), Guid.CreateVersion7(), Noon, new Spender(_tenant), "p", model, AttemptOutcome.Completed, new TokenUsage(10, 2, 1, 5, 3), UsageSource.Reported,
        cost is { } nanos ? new Nanodollars(nanos) : null, cost is null ? null : Noon.AddYears(-1), TimeSpan.FromMilliseconds(20), null);

    private sealed class UnreliableUsage(IUsageStore inner) : IUsageStore
    {
        private volatile bool _isAway;

        public bool IsAway { get => _isAway; set => _isAway = value; }

        public ValueTask WriteAsync(IReadOnlyList<UsageRecord> records, CancellationToken cancellationToken) =>
            IsAway ? throw new IOException("The database is away.") : inner.WriteAsync(records, cancellationToken);
    }
}
