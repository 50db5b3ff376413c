using System.Collections.Concurrent;
using System.Globalization;
using Astra.Postgres;
using Astra.Postgres.Cluster;
using Astra.Tests.Durability;
using Npgsql;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace Astra.Tests.Durability;

/// <summary>
/// One private cluster for the whole run, started by the first test that needs it, in a directory of its own that is
/// gone afterwards. Each test gets an empty database for itself, copied from one that was migrated once or emptied after
/// another test: a copy is some three hundred files, which the server has to write and sync.
/// </summary>
public sealed class PostgresFixture : IAsyncDisposable
{
    private const string Template = "migrated";

    private readonly string _directory = NewDirectory();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly ConcurrentBag<string> _emptied = [];
    private DataDirectoryLock? _lock;
    private PrivateCluster? _cluster;
    private int _databaseCount;

    /// <summary>Where the server's own account can reach it: the usual temporary directories are closed to others.</summary>
    public static string NewDirectory() => Path.Combine(Path.GetTempPath(), $"astra-test-{Guid.NewGuid():N}"[..24]);

    public async ValueTask<TestDatabase> CreateDatabaseAsync()
    {
        await _turn.WaitAsync();
        try
        {
            var cluster = _cluster ??= await StartAsync();
            if (_emptied.TryTake(out var emptied))
                return new TestDatabase(this, cluster, emptied);
            // Two copies of one template at a time would be refused, hence the turn.
            var name = string.Create(CultureInfo.InvariantCulture, $"test_{++_databaseCount}");
            await ExecuteAsync(cluster, "postgres", $"CREATE DATABASE {name} TEMPLATE {Template}");
            return new TestDatabase(this, cluster, name);
        }
        finally
        {
            _turn.Release();
        }
    }

    internal async ValueTask ReturnAsync(PrivateCluster cluster, string database)
    {
        await ExecuteAsync(cluster, database, """
            TRUNCATE astra.log, astra.goals, astra.tasks, astra.quarantined_goals, astra.api_keys, astra.agents, astra.tenants, astra.nodes,
                astra.task_deaths, astra.hooks, astra.failure_events, astra.hook_deliveries,
                astra.limits, astra.weights, astra.paused_agents, astra.schedules,
                astra.budgets, astra.budget_periods, astra.budget_leases, astra.budget_holders, astra.model_prices, astra.model_usage, astra.secrets,
                astra.agent_profiles, astra.goal_recordings;
            UPDATE astra.shards SET epoch = 0, lease_id = NULL WHERE epoch > 0;
            UPDATE astra.shard_watermarks SET watermark = 0 WHERE watermark > 0;
            UPDATE astra.log_segments SET opened_at = NULL, closed_at = NULL;
            UPDATE astra.log_segments SET opened_at = clock_timestamp() WHERE segment = 0;
            """);
        _emptied.Add(database);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        _lock?.Dispose();
        _turn.Dispose();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
    }

    internal static async ValueTask ExecuteAsync(PrivateCluster cluster, string database, string sql)
    {
        await using var connection = new NpgsqlConnection(cluster.ConnectionStringFor(PrivateCluster.Superuser, database) + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private async ValueTask<PrivateCluster> StartAsync()
    {
        _lock = DataDirectoryLock.Acquire(_directory);
        var cluster = await PrivateCluster.StartAsync(_lock, progress: null, CancellationToken.None);
        await ExecuteAsync(cluster, "postgres", $"CREATE DATABASE {Template}");
        await using (await PostgresStore.OpenAsync(new PostgresOptions { Cluster = cluster, Database = Template }, progress: null, CancellationToken.None))
        {
        }
        return cluster;
    }
}

/// <summary>A migrated, empty database.</summary>
public sealed class TestDatabase(PostgresFixture postgres, PrivateCluster cluster, string name) : IAsyncDisposable
{
    private readonly List<PostgresStore> _stores = [];

    public PrivateCluster Cluster => cluster;

    /// <summary>For `--database`. Whoever asks has a server of its own on it, which may live a moment longer than the test
    /// and would then own the shards of the next.</summary>
    public string Address
    {
        get
        {
            IsSpoiled = true;
            return cluster.ConnectionStringFor(PrivateCluster.Superuser, name);
        }
    }

    /// <summary>The test changed the schema or left something behind, so nobody else can use the database.</summary>
    public bool IsSpoiled { get; set; }

    /// <summary>Each call is another node's view of the same database.</summary>
    public async ValueTask<PostgresStore> OpenStoreAsync(TimeSpan? leaseDuration = null, long? segmentBytesMax = null)
    {
        var options = new PostgresOptions { Cluster = cluster, Database = name };
        var store = await PostgresStore.OpenAsync(
            options with
            {
                LeaseDuration = leaseDuration ?? options.LeaseDuration,
                SegmentBytesMax = segmentBytesMax ?? options.SegmentBytesMax,
            },
            progress: null,
            CancellationToken.None);
        _stores.Add(store);
        return store;
    }

    /// <summary>A connection of its own, as a role of the application or as the superuser.</summary>
    public async ValueTask<NpgsqlConnection> ConnectAsync(string role = PrivateCluster.Superuser)
    {
        var connection = new NpgsqlConnection(cluster.ConnectionStringFor(role, name) + ";Search Path=astra;Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    public async ValueTask<object?> ScalarAsync(string sql, string role = PrivateCluster.Superuser)
    {
        await using var connection = await ConnectAsync(role);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    public async ValueTask<IReadOnlyList<string>> ColumnAsync(string sql, string role = PrivateCluster.Superuser)
    {
        await using var connection = await ConnectAsync(role);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var values = new List<string>();
        while (await reader.ReadAsync())
            values.Add(reader.GetString(0));
        return values;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores)
            await store.DisposeAsync();
        if (!IsSpoiled)
            await postgres.ReturnAsync(cluster, name);
    }
}
