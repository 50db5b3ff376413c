using System.Diagnostics;
using Astra.Kernel;
using Astra.Postgres;
using Astra.Postgres.Cluster;
using Npgsql;
using Xunit;

namespace Astra.Tests.Durability;

/// <summary>The private cluster as a whole: created, started, stopped, killed, adopted, refused.</summary>
public sealed class ClusterTests : IAsyncDisposable
{
    private readonly string _directory = PostgresFixture.NewDirectory();

    public ValueTask DisposeAsync()
    {
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task What_was_committed_is_there_after_a_stop_and_a_start()
    {
        using var held = DataDirectoryLock.Acquire(_directory);
        TenantId tenant;
        await using (var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None))
        await using (var store = await OpenAsync(cluster))
            tenant = await store.Tenants.EnsureAsync("acme", CancellationToken.None);

        await using var again = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);
        await using var reopened = await OpenAsync(again);

        Assert.Equal(tenant, await reopened.Tenants.EnsureAsync("acme", CancellationToken.None));
    }

    [Fact]
    public async Task A_server_that_was_left_running_is_adopted()
    {
        using var held = DataDirectoryLock.Acquire(_directory);
        var crashed = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);
        var before = crashed.ServerProcessId;
        await crashed.LeaveRunningAsync();

        await using var adopter = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);

        Assert.NotNull(before);
        Assert.Equal(before, adopter.ServerProcessId);
        await using var store = await OpenAsync(adopter);
        await store.PingAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_server_that_is_killed_is_started_again_with_everything_that_was_committed()
    {
        using var held = DataDirectoryLock.Acquire(_directory);
        await using var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);
        await using var store = await OpenAsync(cluster);
        var tenant = await store.Tenants.EnsureAsync("acme", CancellationToken.None);

        using (var server = Process.GetProcessById(cluster.ServerProcessId!.Value))
            server.Kill();

        Assert.Equal(tenant, await UntilAnsweredAsync(() => store.Tenants.EnsureAsync("acme", CancellationToken.None)));
        while (cluster.RestartCount == 0)
            await Task.Yield();
        Assert.Equal(1, cluster.RestartCount);
    }

    [Fact]
    public async Task The_server_listens_on_no_network_and_its_socket_is_closed_to_others()
    {
        using var held = DataDirectoryLock.Acquire(_directory);
        await using var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);
        var socketDirectory = new NpgsqlConnectionStringBuilder(cluster.ConnectionStringFor("astra_app")).Host!;

        Assert.Equal("", await SettingAsync(cluster, "listen_addresses"));
        Assert.Equal("on", await SettingAsync(cluster, "fsync"));
        Assert.Equal("on", await SettingAsync(cluster, "synchronous_commit"));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(socketDirectory));
    }

    [Fact]
    public async Task A_signal_from_the_terminal_does_not_reach_the_server()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Sessions are read from /proc.");
        using var held = DataDirectoryLock.Acquire(_directory);
        await using var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);

        Assert.NotEqual(SessionOf(Environment.ProcessId), SessionOf(cluster.ServerProcessId!.Value));

        // After the name in parentheses: state, parent, process group, session.
        static string SessionOf(int process) => File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].Split(' ')[3];
    }

    [Fact]
    public async Task A_data_directory_with_a_long_name_gets_a_short_socket()
    {
        var directory = Path.Combine(_directory, new string('a', 60), new string('b', 60));
        using var held = DataDirectoryLock.Acquire(directory);
        await using var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);

        var socketDirectory = new NpgsqlConnectionStringBuilder(cluster.ConnectionStringFor("astra_app")).Host!;
        Assert.True(socketDirectory.Length < 80, socketDirectory);
        await using var store = await OpenAsync(cluster);
        await store.PingAsync(CancellationToken.None);
        await cluster.DisposeAsync();
        Directory.Delete(socketDirectory, recursive: true);
    }

    [Fact]
    public void A_second_server_on_the_same_directory_is_refused_with_what_to_do()
    {
        using var held = DataDirectoryLock.Acquire(_directory);

        var refusal = Assert.Throws<ClusterException>(() => DataDirectoryLock.Acquire(_directory));

        Assert.Contains("Another Astra server is running", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("astra down", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_node_keeps_its_name_across_restarts()
    {
        NodeId first;
        using (var held = DataDirectoryLock.Acquire(_directory))
            first = held.Node;
        using var again = DataDirectoryLock.Acquire(_directory);

        Assert.Equal(first, again.Node);
        Assert.NotEmpty(first.Value);
    }

    [Fact]
    public async Task A_database_of_another_major_version_is_named_with_the_upgrade()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "postgres"));
        await File.WriteAllTextAsync(Path.Combine(_directory, "postgres", "PG_VERSION"), "9\n", CancellationToken.None);
        using var held = DataDirectoryLock.Acquire(_directory);

        var refusal = await Assert.ThrowsAsync<ClusterException>(
            async () => await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None));

        Assert.Contains("is of PostgreSQL 9", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("pg_upgrade --old-datadir", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_creation_that_was_interrupted_begins_again()
    {
        Directory.CreateDirectory(Path.Combine(_directory, "postgres.making", "base"));
        using var held = DataDirectoryLock.Acquire(_directory);
        await using var cluster = await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None);
        await using var store = await OpenAsync(cluster);

        await store.PingAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_server_that_does_not_start_says_why_and_where_its_log_is()
    {
        using var held = DataDirectoryLock.Acquire(_directory);
        await using (await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None))
        {
        }
        await File.WriteAllTextAsync(Path.Combine(_directory, "postgres", "local.conf"), "shared_buffers = 'a lot'\n", CancellationToken.None);

        var refusal = await Assert.ThrowsAsync<ClusterException>(
            async () => await PrivateCluster.StartAsync(held, progress: null, CancellationToken.None));

        Assert.Contains("did not start", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("log", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("initdb: error: could not write to file: No space left on device", "is full")]
    [InlineData("FATAL:  could not open file: Permission denied", "no right")]
    [InlineData("FATAL:  data directory has wrong ownership", "no right")]
    [InlineData("FATAL:  lock file \"postmaster.pid\" already exists", "delete that file")]
    [InlineData("LOG: hello\nFATAL:  something new\nLOG: bye", "something new")]
    public void What_the_server_says_becomes_one_sentence_with_what_to_do(string said, string told)
    {
        var message = ClusterException.Explain(said, "/data/postgres").Message;

        Assert.Contains(told, message, StringComparison.Ordinal);
        Assert.Contains("/data/postgres", message, StringComparison.Ordinal);
    }

    private static ValueTask<PostgresStore> OpenAsync(PrivateCluster cluster) =>
        PostgresStore.OpenAsync(new PostgresOptions { Cluster = cluster }, progress: null, CancellationToken.None);

    private static async Task<string> SettingAsync(PrivateCluster cluster, string name)
    {
        await using var connection = new NpgsqlConnection(cluster.ConnectionStringFor(PrivateCluster.Superuser) + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"SHOW {name}", connection);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>While the server recovers it refuses connections, at once.</summary>
    private static async Task<T> UntilAnsweredAsync<T>(Func<ValueTask<T>> ask)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (NpgsqlException) when (!patience.IsCancellationRequested)
            {
                await Task.Yield();
            }
        }
    }
}
