using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Astra.Postgres.Cluster;

/// <summary>
/// PostgreSQL as a part of Astra: created under the data directory, started and stopped with it, reached through a
/// socket that only this account can use, never over the network. A server that a crash left running is adopted.
/// </summary>
/// <remarks>pg_ctl gives the server a session of its own, so a Ctrl-C meant for Astra does not stop the database under
/// its feet: Astra stops first, then the database.</remarks>
public sealed class PrivateCluster : IAsyncDisposable
{
    public const string Database = "astra";

    /// <summary>Makes the roles and the schema, and is nobody while Astra serves.</summary>
    public const string Superuser = "astra";

    private static readonly TimeSpan StartDurationMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly string _directory;
    private readonly string _socketDirectory;
    private readonly string? _account;
    private readonly ServerBinaries _binaries;
    private readonly CancellationTokenSource _stopping = new();
    private Task _watch = Task.CompletedTask;
    private bool _isLeft;

    private PrivateCluster(string directory, string socketDirectory, string? account, ServerBinaries binaries)
    {
        _directory = directory;
        _socketDirectory = socketDirectory;
        _account = account;
        _binaries = binaries;
    }

    /// <summary>How often the server died under a living Astra and was started again.</summary>
    public int RestartCount { get; private set; }

    /// <summary>The process id of the server, for people and for tests that kill it.</summary>
    public int? ServerProcessId => ReadServerProcessId();

    /// <param name="dataDirectory">Held: whoever has no lock on it has no business starting a server in it.</param>
    public static async ValueTask<PrivateCluster> StartAsync(
        DataDirectoryLock dataDirectory, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(dataDirectory.Path, "postgres");
        var binaries = ServerBinaries.Choose(await ServerBinaries.FindAllAsync(cancellationToken), VersionOf(directory), directory);
        var cluster = new PrivateCluster(directory, SocketDirectory.For(dataDirectory.Path), ClusterAccount.ForServer(), binaries);
        try
        {
            await ClusterAccount.MakePrivateDirectoryAsync(cluster._socketDirectory, cluster._account, cancellationToken);
            if (VersionOf(directory) is null)
            {
                progress?.Report($"Creating a PostgreSQL {binaries.MajorVersion} database in {directory}");
                await cluster.CreateAsync(cancellationToken);
            }
            progress?.Report("Starting PostgreSQL");
            await cluster.StartServerAsync(cancellationToken);
            await cluster.MakeDatabaseAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw ClusterException.Explain(exception.Message, directory, exception);
        }
        cluster._watch = cluster.KeepRunningAsync();
        return cluster;
    }

    /// <summary>Where a role connects.</summary>
    public string ConnectionStringFor(string role, string database = Database) =>
        new NpgsqlConnectionStringBuilder { Host = _socketDirectory, Port = 5432, Username = role, Database = database }.ConnectionString;

    /// <summary>Lets go of the server without stopping it, as a crash of this process would; the next start adopts it.</summary>
    public async ValueTask LeaveRunningAsync()
    {
        await _stopping.CancelAsync();
        await _watch;
        _isLeft = true;
    }

    /// <summary>Stops the server: running transactions are rolled back, what was committed is on disk.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isLeft)
            return;
        await LeaveRunningAsync();
        _stopping.Dispose();
        if (IsServerAlive())
        {
            var stopped = await ControlAsync(CancellationToken.None, "stop", "-m", "fast", "-w", "-t", "120");
            if (!stopped.Succeeded && IsServerAlive())
                throw new ClusterException($"PostgreSQL in {_directory} did not stop ({stopped.Error.Trim()}): look at its log in {Path.Combine(_directory, "log")}.");
        }
    }

    private async ValueTask CreateAsync(CancellationToken cancellationToken)
    {
        // Made beside and moved: a crash half-way leaves a directory that is thrown away, never half a database.
        var making = _directory + ".making";
        if (Directory.Exists(making))
            Directory.Delete(making, recursive: true);
        await ClusterAccount.MakePrivateDirectoryAsync(making, _account, cancellationToken);

        // The C collation orders by bytes: the same on every machine, and indexes outlive an upgrade of the C library. Files of the
        // write-ahead log are small (megabytes), because a commit that needs a new one waits until it is filled with zeros.
        var made = await ServerProgram.RunAsync(
            _binaries.Program("initdb"),
            ["-D", making, "-U", Superuser, "-E", "UTF8", "--locale=C", "--data-checksums", "--wal-segsize=4", "--auth=peer", "--no-sync", "--no-instructions"],
            _account,
            cancellationToken);
        if (!made.Succeeded)
            throw ClusterException.Explain(made.Error, _directory);

        await File.WriteAllTextAsync(Path.Combine(making, "postgresql.conf"), ClusterSettings.Main, cancellationToken);
        var synced = await ServerProgram.RunAsync(_binaries.Program("initdb"), ["-D", making, "--sync-only"], _account, cancellationToken);
        if (!synced.Succeeded)
            throw ClusterException.Explain(synced.Error, _directory);
        Directory.Move(making, _directory);
    }

    private async ValueTask StartServerAsync(CancellationToken cancellationToken)
    {
        if (IsServerAlive() && await AnswersAsync(cancellationToken))
            return;

        WriteSettings();
        var deadline = Stopwatch.StartNew();
        while (true)
        {
            var log = Path.Combine(_directory, "start.log");
            File.Delete(log);
            var started = await ControlAsync(cancellationToken, "start", "-w", "-t", "60", "-s", "-l", log);
            if (started.Succeeded)
                return;

            // The children of a server that was killed take a moment to notice; until they have gone, its memory is in use.
            var why = started.Error + (File.Exists(log) ? await File.ReadAllTextAsync(log, cancellationToken) : "");
            var isStillEnding = why.Contains("still in use", StringComparison.Ordinal) || why.Contains("still running", StringComparison.Ordinal);
            if (!isStillEnding || deadline.Elapsed > StartDurationMax)
                throw ClusterException.Explain(why, _directory);
            await Task.Delay(PollInterval, cancellationToken);
        }
    }

    /// <summary>Whether the server behind the socket is there, waiting while it is still recovering.</summary>
    private async ValueTask<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        await using var source = OpenForControl();
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < StartDurationMax;)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(cancellationToken);
                return true;
            }
            catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.CannotConnectNow)
            {
                await Task.Delay(PollInterval, cancellationToken);
            }
            catch (NpgsqlException)
            {
                return false;
            }
        }
        return false;
    }

    private async ValueTask MakeDatabaseAsync(CancellationToken cancellationToken)
    {
        await using var source = OpenForControl();
        await using var exists = source.CreateCommand("SELECT 1 FROM pg_database WHERE datname = 'astra'");
        if (await exists.ExecuteScalarAsync(cancellationToken) is null)
        {
            await using var make = source.CreateCommand("CREATE DATABASE astra");
            await make.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private void WriteSettings()
    {
        Write("astra.conf", ClusterSettings.Server(_socketDirectory));
        Write("pg_hba.conf", ClusterSettings.Authentication);
        Write("pg_ident.conf", ClusterSettings.IdentityMap(ClusterAccount.Own));

        void Write(string name, string text)
        {
            var file = Path.Combine(_directory, name);
            File.WriteAllText(file + ".new", text);
            // The server's account reads what this one wrote; the directory keeps everybody else out.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(file + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
            File.Move(file + ".new", file, overwrite: true);
        }
    }

    /// <summary>A database that dies under a living Astra is started again: nothing that was committed is lost.</summary>
    private async Task KeepRunningAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(PollInterval * 10, _stopping.Token);
                if (IsServerAlive())
                    continue;
                try
                {
                    await StartServerAsync(_stopping.Token);
                    RestartCount++;
                }
                catch (ClusterException)
                {
                    // A full disk may be freed and a lost right may come back. Until then whoever needs the database is
                    // told so by its own calls.
                    await Task.Delay(TimeSpan.FromSeconds(1), _stopping.Token);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
        }
    }

    private bool IsServerAlive()
    {
        if (ReadServerProcessId() is not { } id)
            return false;
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private int? ReadServerProcessId()
    {
        try
        {
            var first = File.ReadLines(Path.Combine(_directory, "postmaster.pid")).FirstOrDefault();
            return int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private ValueTask<ProgramResult> ControlAsync(CancellationToken cancellationToken, params string[] arguments) =>
        ServerProgram.RunAsync(_binaries.Program("pg_ctl"), ["-D", _directory, .. arguments], _account, cancellationToken);

    private NpgsqlDataSource OpenForControl() =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionStringFor(Superuser, "postgres")) { Pooling = false });

    private static int? VersionOf(string directory)
    {
        var file = Path.Combine(directory, "PG_VERSION");
        return File.Exists(file) ? ServerBinaries.MajorVersionOf(File.ReadAllText(file)) : null;
    }
}
