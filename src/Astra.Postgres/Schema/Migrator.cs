using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Npgsql;

namespace Astra.Postgres.Schema;

/// <summary>
/// Brings the schema up to this build: numbered files, forwards only, one transaction for each, one migrator at a time.
/// A migration only ever adds, so that an older node goes on serving meanwhile.
/// </summary>
internal static class Migrator
{
    /// <summary>Any number will do as long as nobody else on the same database uses it: "astra" in ASCII.</summary>
    private const string TryTurn = "SELECT pg_try_advisory_lock(418447487585)";

    private static readonly TimeSpan TurnAskedEvery = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan TurnTimeMax = TimeSpan.FromMinutes(5);

    /// <summary>Waiting longer for a busy table would make everybody else wait behind us.</summary>
    private const string NeverBlockLong = "SET lock_timeout = '10s'";

    private const string MakeHistory = """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version integer PRIMARY KEY,
            name text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """;

    private const string HasHistory = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    private const string ReadVersion = "SELECT COALESCE(max(version), 0) FROM schema_migrations";
    private const string Record = "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)";

    /// <summary>A plan made for an empty table of unknown size is kept for the life of a prepared statement.</summary>
    private const string Analyze = "ANALYZE shards, shard_watermarks, log_segments";

    public static int LatestVersion => Migrations().Max(migration => migration.Version);

    public static async ValueTask MigrateAsync(Database database, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        await BootstrapAsync(database, progress, cancellationToken);
        await using var connection = await database.OpenAsOwnerAsync(cancellationToken);
        // Nearly every start finds nothing to do, and then it waits for nobody: the turn of a server whose machine has lost its
        // power ends only when the database notices.
        if (await IsTrueAsync(connection, HasHistory, cancellationToken) && await ReadVersionAsync(connection, cancellationToken) == LatestVersion)
            return;
        await TakeTurnAsync(connection, progress, cancellationToken);
        await ExecuteAsync(connection, NeverBlockLong, cancellationToken);
        await ExecuteAsync(connection, MakeHistory, cancellationToken);

        var current = await ReadVersionAsync(connection, cancellationToken);
        var due = Migrations().Where(migration => migration.Version > current).OrderBy(migration => migration.Version).ToArray();
        foreach (var migration in due)
        {
            progress?.Report($"Migrating the database: {migration.Name}");
            await ApplyAsync(connection, migration, cancellationToken);
        }
        if (due.Length > 0)
            await ExecuteAsync(connection, Analyze, cancellationToken);
    }

    private static async ValueTask ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, migration.Sql, cancellationToken);
        await using var record = new NpgsqlCommand(Record, connection)
        {
            Parameters = { new() { Value = migration.Version }, new() { Value = migration.Name } },
        };
        await record.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private const string IsSetUp = """
        SELECT to_regnamespace('astra') IS NOT NULL AND NOT EXISTS (
            SELECT FROM unnest(ARRAY['astra_owner', 'astra_app', 'astra_journal', 'astra_leases']) AS role_name
            WHERE to_regrole(role_name) IS NULL OR NOT pg_has_role(current_user, to_regrole(role_name), 'MEMBER'))
        """;

    private static async ValueTask BootstrapAsync(Database database, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsAdministratorAsync(cancellationToken);
        if (connection.PostgreSqlVersion.Major < Cluster.ServerBinaries.MajorVersionMin)
            throw new DatabaseException($"The server is PostgreSQL {connection.PostgreSqlVersion}: Astra needs {Cluster.ServerBinaries.MajorVersionMin} or later.");
        if (await IsTrueAsync(connection, IsSetUp, cancellationToken))
            return;
        try
        {
            await TakeTurnAsync(connection, progress, cancellationToken);
            await ExecuteAsync(connection, Resource("Bootstrap.sql"), cancellationToken);
            if (database.IsPrivate)
                await ExecuteAsync(connection, Resource("AllowLogin.sql"), cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new DatabaseException(
                $"The account that --database names may not set Astra up ({exception.MessageText}): let an administrator run this once on the database, and grant the account what it makes.\n\n"
                + Resource("Bootstrap.sql"),
                exception);
        }
    }

    /// <summary>Until the connection is closed.</summary>
    private static async ValueTask TakeTurnAsync(NpgsqlConnection connection, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        var isTold = false;
        while (!await IsTrueAsync(connection, TryTurn, cancellationToken))
        {
            if (Stopwatch.GetElapsedTime(began) > TurnTimeMax)
                throw new DatabaseException($"Another server has been migrating the database for {TurnTimeMax.TotalMinutes} minutes. If there is none, end the session that pg_locks lists with locktype advisory, and start again.");
            if (!isTold)
                progress?.Report("Another server is migrating the database; waiting for it");
            isTold = true;
            await Task.Delay(TurnAskedEvery, cancellationToken);
        }
    }

    /// <exception cref="DatabaseException">A newer build has migrated the database.</exception>
    private static async ValueTask<int> ReadVersionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(ReadVersion, connection);
        var version = (int)(await command.ExecuteScalarAsync(cancellationToken))!;
        return version <= LatestVersion ? version
            : throw new DatabaseException($"The database has schema version {version} and this build knows {LatestVersion}: a newer Astra has migrated it, so run that one or a newer one.");
    }

    private static async ValueTask<bool> IsTrueAsync(NpgsqlConnection connection, string question, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(question, connection);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async ValueTask ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static IReadOnlyList<Migration> Migrations() => Assembly.GetExecutingAssembly().GetManifestResourceNames()
        .Where(name => char.IsAsciiDigit(name[0]))
        .Select(name => new Migration(int.Parse(name[..4], CultureInfo.InvariantCulture), Path.GetFileNameWithoutExtension(name), Resource(name)))
        .ToArray();

    private static string Resource(string name)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    private sealed record Migration(int Version, string Name, string Sql);
}
