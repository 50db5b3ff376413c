using Astra.Kernel;
using Astra.Kernel.Controls;
using Astra.Kernel.Timers;
using Astra.Postgres;
using Astra.Testing.Contracts;

namespace Astra.Tests.Durability;

public sealed class PostgresJournalTests(PostgresFixture postgres) : JournalContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresProjectionTests(PostgresFixture postgres) : ProjectionContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresRefusedRowsTests(PostgresFixture postgres) : RefusedRowsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresRowListsTests(PostgresFixture postgres) : RowListsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresShardLeasesTests(PostgresFixture postgres) : ShardLeasesContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresAgentStoreTests(PostgresFixture postgres) : AgentStoreContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

public sealed class PostgresControlsTests(PostgresFixture postgres) : ControlsContract
{
    protected override ValueTask<IStoreUnderTest> OpenAsync() => PostgresUnderTest.OpenAsync(postgres);
}

internal sealed class PostgresUnderTest(TestDatabase database, PostgresStore store) : IStoreUnderTest
{
    public IJournal Journal => store.Journal;
    public IProjection Projection => store.Projection;
    public IShardLeases Leases => store.Leases;
    public IAgentStore Agents => store.Agents;
    public IControls Controls => store.Controls;
    public ISchedules Schedules => store.Schedules;

    public static async ValueTask<IStoreUnderTest> OpenAsync(PostgresFixture postgres)
    {
        var database = await postgres.CreateDatabaseAsync();
        return new PostgresUnderTest(database, await database.OpenStoreAsync());
    }

    public ValueTask<TenantId> TenantAsync(string name) => store.Tenants.EnsureAsync(name, CancellationToken.None);

    public async ValueTask ExpireAsync(NodeId node) =>
        await database.ScalarAsync($"UPDATE nodes SET expires_at = clock_timestamp() WHERE node_id = '{node.Value}'");

    public ValueTask DisposeAsync() => database.DisposeAsync();
}
