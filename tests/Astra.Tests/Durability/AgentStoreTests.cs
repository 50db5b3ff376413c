using System.Globalization;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Tests.EndToEnd;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>What waking an agent asks of PostgreSQL.</summary>
public sealed class AgentStoreTests(PostgresFixture postgres) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private TenantId _tenant;
    private TestDatabase _database = null!;
    private PostgresStore _store = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _store = await _database.OpenStoreAsync();
        _tenant = await _store.Tenants.EnsureAsync("acme", None);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task An_agent_is_found_through_its_key_however_few_there_were_when_the_statement_was_planned()
    {
        await CreateAsync(3);
        await _database.ScalarAsync("ANALYZE agents");
        var before = await ScansAsync();
        // Often enough for the driver to prepare the statements and the server to keep one plan for each.
        for (var i = 0; i < 20; i++)
        {
            Assert.NotNull(await _store.Agents.LoadAsync(_tenant, "agent-1", None));
            Assert.NotNull(await _store.Agents.FindClassAsync(_tenant, "agent-1", None));
            Assert.Equal(2, (await _store.Agents.ListAsync(_tenant, "agent-0", 10, None)).Count);
        }

        await Eventually.HoldsAsync("the server has counted the reads", async () => (await ScansAsync()).ByIndex - before.ByIndex >= 60);
        Assert.Equal(before.Whole, (await ScansAsync()).Whole);
    }

    [Fact]
    public async Task A_stampede_on_many_agents_is_a_few_statements()
    {
        const int count = 1_000;
        await CreateAsync(count);
        var before = await ScansAsync();

        var rows = await Task.WhenAll(Enumerable.Range(0, count).Select(number => _store.Agents.LoadAsync(_tenant, $"agent-{number}", None).AsTask()));

        Assert.Equal(Enumerable.Range(0, count).Select(number => $"agent-{number}"), rows.Select(row => row!.Name));
        await Eventually.HoldsAsync("the server has counted the reads", async () => (await ScansAsync()).Rows - before.Rows >= count);
        Assert.InRange((await ScansAsync()).Transactions - before.Transactions, 1, count / 2);
    }

    [Theory]
    [InlineData("a\0b")]
    [InlineData("a\ud800b")]
    public async Task A_name_that_is_no_text_is_nobodys_and_fails_no_other(string name)
    {
        await CreateAsync(1);
        var together = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(number => _store.Agents.LoadAsync(_tenant, number % 2 == 0 ? "agent-0" : name, None).AsTask()));

        Assert.All(together.Index(), row => Assert.Equal(row.Index % 2 == 0, row.Item is not null));
        Assert.Null(await _store.Agents.FindClassAsync(_tenant, name, None));
    }

    private async Task CreateAsync(int count) =>
        Assert.Equal(count, await _store.Agents.CreateAsync(_tenant, [.. Enumerable.Range(0, count).Select(number => new AgentDefinition($"agent-{number}", "counter"))], None));

    private async Task<(long ByIndex, long Whole, long Rows, long Transactions)> ScansAsync()
    {
        var counts = await _database.ColumnAsync("""
            SELECT coalesce(idx_scan, 0) || ' ' || seq_scan || ' ' || coalesce(idx_tup_fetch, 0) || ' ' || xact_commit
            FROM pg_stat_user_tables, pg_stat_database WHERE relname = 'agents' AND datname = current_database()
            """);
        var numbers = counts[0].Split(' ').Select(number => long.Parse(number, CultureInfo.InvariantCulture)).ToArray();
        return (numbers[0], numbers[1], numbers[2], numbers[3]);
    }
}
