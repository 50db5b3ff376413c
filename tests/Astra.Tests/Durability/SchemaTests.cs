using System.Globalization;
using System.Text.RegularExpressions;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Postgres;
using Astra.Postgres.Cluster;
using Astra.Testing.Contracts;
using Npgsql;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>What the schema itself guarantees, whoever writes SQL against it.</summary>
public sealed class SchemaTests(PostgresFixture postgres) : IAsyncLifetime
{
    /// <summary>Tables without a tenant, each with the reason why nothing of a tenant is in them.</summary>
    private static readonly Dictionary<string, string> NotTenantTables = new(StringComparer.Ordinal)
    {
        ["nodes"] = "processes of the fleet",
        ["shards"] = "numbers, epochs and leases",
        ["controls_version"] = "a number that every change of limits, weights and pauses raises",
        ["money_version"] = "a number that every change of budgets and prices raises",
        ["budget_holders"] = "ledgers of the fleet, by node",
        ["model_prices"] = "what models cost, the same for everybody",
        ["fleet_secret"] = "what nodes sign with; one row",
        ["shard_watermarks"] = "how far each shard's rows have come",
        ["log_segments"] = "which part of the log is open",
        ["schema_migrations"] = "what the schema is",
    };

    private static readonly string[] ServingRoles = ["astra_app", "astra_journal", "astra_leases"];

    private TestDatabase _database = null!;

    public async ValueTask InitializeAsync() => _database = await postgres.CreateDatabaseAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Every_table_forces_row_level_security_or_says_why_not()
    {
        var open = await _database.ColumnAsync("""
            SELECT c.relname::text FROM pg_class AS c
            WHERE c.relnamespace = 'astra'::regnamespace AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            ORDER BY 1
            """);

        Assert.Equal(NotTenantTables.Keys.Order(StringComparer.Ordinal), open);
    }

    [Fact]
    public async Task A_table_with_a_tenant_column_is_never_on_the_list_of_exceptions()
    {
        var tenantTables = await _database.ColumnAsync(
            "SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'astra' AND column_name = 'tenant'");

        Assert.Empty(tenantTables.Intersect(NotTenantTables.Keys));
    }

    [Fact]
    public async Task The_serving_roles_own_nothing_bypass_nothing_and_truncate_nothing()
    {
        Assert.Empty(await _database.ColumnAsync("""
            SELECT r.rolname::text FROM pg_roles AS r
            WHERE r.rolname LIKE 'astra\_%' AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)
            """));
        Assert.Empty(await _database.ColumnAsync("""
            SELECT c.relname::text FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner
            WHERE r.rolname IN ('astra_app', 'astra_journal', 'astra_leases')
            """));
        foreach (var role in ServingRoles)
        {
            Assert.Empty(await _database.ColumnAsync($"""
                SELECT c.relname::text FROM pg_class AS c
                WHERE c.relnamespace = 'astra'::regnamespace AND c.relkind IN ('r', 'p')
                  AND (has_table_privilege('{role}', c.oid, 'TRUNCATE') OR has_table_privilege('{role}', c.oid, 'TRIGGER') OR has_table_privilege('{role}', c.oid, 'REFERENCES'))
                """));
        }
    }

    [Fact]
    public async Task Nobody_who_serves_changes_or_deletes_an_entry_of_the_log()
    {
        foreach (var role in ServingRoles)
        {
            Assert.Empty(await _database.ColumnAsync($"""
                SELECT c.relname::text FROM pg_class AS c
                WHERE c.relnamespace = 'astra'::regnamespace AND c.relname ~ '^log(_[0-9]+)?$'
                  AND (has_any_column_privilege('{role}', c.oid, 'UPDATE') OR has_table_privilege('{role}', c.oid, 'DELETE'))
                """));
        }
    }

    [Theory]
    [InlineData("astra_journal", "UPDATE shards SET epoch = epoch + 1")]
    [InlineData("astra_journal", "INSERT INTO log_00 SELECT * FROM log")]
    [InlineData("astra_leases", "SELECT data FROM log")]
    [InlineData("astra_app", "SELECT secret FROM fleet_secret")]
    [InlineData("astra_journal", "SELECT secret FROM fleet_secret")]
    [InlineData("astra_leases", "UPDATE fleet_secret SET secret = secret")]
    [InlineData("astra_app", "INSERT INTO goals SELECT * FROM goals")]
    [InlineData("astra_app", "UPDATE shards SET fence = true")]
    [InlineData("astra_app", "UPDATE agents SET state = ''")]
    [InlineData("astra_app", "DELETE FROM agents")]
    [InlineData("astra_journal", "UPDATE agents SET class = 'other'")]
    [InlineData("astra_app", "SET ROLE astra_journal")]
    [InlineData("astra_app", "SELECT empty_log_segment(0::smallint)")]
    [InlineData("astra_leases", "DELETE FROM limits")]
    [InlineData("astra_leases", "UPDATE schedules SET next_at = NULL")]
    [InlineData("astra_journal", "SELECT submission FROM schedules")]
    [InlineData("astra_owner", "CREATE ROLE another")]
    public async Task Each_role_keeps_to_its_own_work(string role, string sql)
    {
        var refusal = await Assert.ThrowsAsync<PostgresException>(async () => await _database.ScalarAsync(sql, role));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refusal.SqlState);
    }

    [Fact]
    public async Task Without_a_tenant_the_application_sees_nothing_at_all()
    {
        var tenant = await FillAsync();

        foreach (var table in (string[])["log", "goals", "tasks", "quarantined_goals", "tenants", "api_keys", "agents", "limits", "weights", "paused_agents", "schedules", "budgets", "budget_periods", "budget_leases", "model_usage", "secrets", "agent_profiles", "goal_recordings"])
        {
            Assert.Equal(0L, await _database.ScalarAsync($"SELECT count(*) FROM {table}", "astra_app"));
            Assert.Equal(0L, await CountAsync(table, Sample.Tenant()));
            if (table is "log" or "goals" or "tasks")
                Assert.Equal(1L, await CountAsync(table, tenant));
        }
    }

    [Fact]
    public async Task A_tenant_is_forgotten_with_its_transaction()
    {
        var tenant = await FillAsync();
        await using var connection = await _database.ConnectAsync("astra_app");
        Assert.Equal(1L, await CountAsync(connection, "goals", tenant));

        await using var command = new NpgsqlCommand("SELECT count(*) FROM goals", connection);
        Assert.Equal(0L, await command.ExecuteScalarAsync(CancellationToken.None));
    }

    [Fact]
    public async Task The_check_on_the_log_is_the_transition_table_of_the_kernel()
    {
        var check = (string)(await _database.ScalarAsync("""
            SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'moves_are_legal' AND conrelid = 'astra.log'::regclass
            """))!;
        var list = Regex.Match(check, @"ANY \(ARRAY\[([^]]*)\]").Groups[1].Value;

        var inDatabase = list.Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).Order();
        var inKernel = TaskTransitions.Moves.Select(move => (int)move.From * 256 + (int)move.Command * 16 + (int)move.To).Order();

        // When this fails, the table has changed: add a migration that replaces the constraint with these numbers.
        Assert.Equal(inKernel, inDatabase);
    }

    [Fact]
    public async Task Opening_a_migrated_database_changes_nothing()
    {
        var before = await _database.ColumnAsync("SELECT version || ' ' || name || ' ' || applied_at FROM schema_migrations ORDER BY version");
        await _database.OpenStoreAsync();

        Assert.Equal(before, await _database.ColumnAsync("SELECT version || ' ' || name || ' ' || applied_at FROM schema_migrations ORDER BY version"));
    }

    [Fact]
    public async Task A_schema_newer_than_the_build_is_refused_with_what_to_do()
    {
        _database.IsSpoiled = true;
        await _database.ScalarAsync("INSERT INTO schema_migrations (version, name) VALUES (9999, 'from the future')");

        var refusal = await Assert.ThrowsAsync<DatabaseException>(async () => await _database.OpenStoreAsync());

        Assert.Contains("schema version 9999", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("newer", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_that_start_at_once_migrate_once()
    {
        var name = "fresh_" + Guid.NewGuid().ToString("N");
        await PostgresFixture.ExecuteAsync(_database.Cluster, "postgres", $"CREATE DATABASE {name}");
        await using var fresh = new TestDatabase(postgres, _database.Cluster, name) { IsSpoiled = true };

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => fresh.OpenStoreAsync().AsTask()));

        var files = Directory.GetFiles(Path.Combine(Structure.Repository.Root, "src", "Astra.Postgres", "Schema", "Migrations"), "*.sql");
        Assert.Equal((long)files.Length, await fresh.ScalarAsync("SELECT count(*) FROM schema_migrations"));
    }

    [Fact]
    public async Task A_database_of_yours_is_used_through_one_account_in_the_same_roles()
    {
        // An account that may create roles and owns an empty database: what an administrator hands out.
        await PostgresFixture.ExecuteAsync(_database.Cluster, "postgres", "CREATE DATABASE yours");
        var options = new PostgresOptions { ConnectionString = _database.Cluster.ConnectionStringFor(PrivateCluster.Superuser, "yours") };
        await using var store = await PostgresStore.OpenAsync(options, progress: null, CancellationToken.None);

        Assert.Equal(ShardId.Count, (await store.Leases.RenewAsync(
            new NodeRegistration(new NodeId("a"), "http://127.0.0.1", Guid.NewGuid()), [], CancellationToken.None)).Owned.Count);
        await using var yours = new TestDatabase(postgres, _database.Cluster, "yours") { IsSpoiled = true };
        Assert.Equal(
            ["astra (astra_journal) astra_journal", "astra (astra_leases) astra_leases"],
            await yours.ColumnAsync("""
                SELECT application_name || ' ' || regexp_replace(application_name, '.*\((.*)\)', '\1')
                FROM pg_stat_activity WHERE datname = 'yours' AND application_name LIKE 'astra (%' ORDER BY 1
                """));
    }

    [Fact]
    public async Task An_account_without_rights_is_told_what_an_administrator_has_to_do()
    {
        await PostgresFixture.ExecuteAsync(_database.Cluster, "postgres", "CREATE DATABASE guarded");
        var options = new PostgresOptions { ConnectionString = _database.Cluster.ConnectionStringFor("astra_app", "guarded") };

        var refusal = await Assert.ThrowsAsync<DatabaseException>(
            async () => await PostgresStore.OpenAsync(options, progress: null, CancellationToken.None));

        Assert.Contains("administrator", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("CREATE SCHEMA", refusal.Message, StringComparison.Ordinal);
    }

    private async Task<TenantId> FillAsync()
    {
        var store = await _database.OpenStoreAsync();
        var owned = (await store.Leases.RenewAsync(new NodeRegistration(new NodeId("a"), "http://127.0.0.1", Guid.NewGuid()), [], CancellationToken.None)).Owned;
        var tenant = Sample.Tenant();
        var goal = Sample.Goal(tenant, Sample.GoalId(7));
        var shard = goal.Id.Shard;
        await store.Journal.AppendAsync([new ShardAppend(shard, owned[shard], Sample.Entries(tenant, goal.Id, 1, 1))], CancellationToken.None);
        await store.Projection.ProjectAsync([new ShardProjection(shard, owned[shard], 1, [goal], [Sample.Task(goal)], [])], CancellationToken.None);
        return tenant;
    }

    private async Task<object?> CountAsync(string table, TenantId tenant)
    {
        await using var connection = await _database.ConnectAsync("astra_app");
        return await CountAsync(connection, table, tenant);
    }

    private static async Task<object?> CountAsync(NpgsqlConnection connection, string table, TenantId tenant)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        await using var set = new NpgsqlCommand($"SELECT set_config('astra.tenant', '{tenant.Value}', true)", connection, transaction);
        await set.ExecuteNonQueryAsync();
        await using var count = new NpgsqlCommand($"SELECT count(*) FROM {table}", connection, transaction);
        var value = await count.ExecuteScalarAsync();
        await transaction.CommitAsync();
        return value;
    }
}
