using Astra.Postgres.Agents;
using Astra.Postgres.Governance;
using Astra.Postgres.Journal;
using Astra.Postgres.Leases;
using Astra.Postgres.Money;
using Astra.Postgres.Projection;
using Astra.Postgres.Scheduling;
using Astra.Postgres.Schema;
using Astra.Postgres.Webhooks;
using Npgsql;

namespace Astra.Postgres;

/// <summary>Every durable port on one database, migrated and found fit to be trusted.</summary>
public sealed class PostgresStore : IAsyncDisposable
{
    private readonly Database _database;

    private PostgresStore(Database database, PostgresOptions options)
    {
        _database = database;
        Journal = new PostgresJournal(database);
        Segments = new LogSegments(database, options);
        Projection = new PostgresProjection(database);
        Leases = new PostgresShardLeases(database, options.LeaseDuration);
        Controls = new PostgresControls(database);
        Schedules = new PostgresSchedules(database);
        ApiKeys = new PostgresApiKeyStore(database);
        Tenants = new PostgresTenantStore(database);
        Agents = new PostgresAgentStore(database);
        Profiles = new PostgresProfileStore(database);
        Hooks = new PostgresHookStore(database);
        Budgets = new PostgresBudgets(database);
        Prices = new PostgresPrices(database);
        Usage = new PostgresUsage(database);
        Secrets = new PostgresSecretStore(database);
        Recordings = new Recording.PostgresRecordings(database);
    }

    public PostgresJournal Journal { get; }
    public LogSegments Segments { get; }
    public PostgresProjection Projection { get; }
    public PostgresShardLeases Leases { get; }
    public PostgresControls Controls { get; }
    public PostgresSchedules Schedules { get; }
    public PostgresApiKeyStore ApiKeys { get; }
    public PostgresTenantStore Tenants { get; }
    public PostgresAgentStore Agents { get; }
    public PostgresProfileStore Profiles { get; }
    public PostgresHookStore Hooks { get; }
    public PostgresBudgets Budgets { get; }
    public PostgresPrices Prices { get; }
    public PostgresUsage Usage { get; }
    public PostgresSecretStore Secrets { get; }
    public Recording.PostgresRecordings Recordings { get; }

    /// <exception cref="DatabaseException">The database cannot be used; the message says why and what to do.</exception>
    public static async ValueTask<PostgresStore> OpenAsync(PostgresOptions options, IProgress<string>? progress, CancellationToken cancellationToken)
    {
        var database = Database.Of(options);
        try
        {
            await Migrator.MigrateAsync(database, progress, cancellationToken);
            await AssertDurableAsync(database, cancellationToken);
            return new PostgresStore(database, options);
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>One round trip to the database, as the role that answers people.</summary>
    public async ValueTask PingAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.App.CreateCommand("SELECT 1");
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>Transactions that this database has committed since it was made, this one excluded; for finding out what an
    /// idle server costs it.</summary>
    public async ValueTask<long> CountCommitsAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.App.CreateCommand("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>The 256 bits that the nodes of this database share; see the bus.</summary>
    public async ValueTask<byte[]> ReadFleetSecretAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.Leases.CreateCommand("SELECT secret FROM fleet_secret");
        return (byte[])(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    /// <summary>Asked on the very connections that append: a role or a database may have settings of its own.</summary>
    private static async ValueTask AssertDurableAsync(Database database, CancellationToken cancellationToken)
    {
        const string ReadSettings = "SELECT current_setting('fsync'), current_setting('synchronous_commit')";
        await using var command = database.Journal.CreateCommand(ReadSettings);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        if (reader.GetString(0) != "on")
            throw new DatabaseException("The database runs with fsync off, so a power cut would lose what was acknowledged: set fsync = on and restart it.");
        if (reader.GetString(1) == "off")
            throw new DatabaseException("The database runs with synchronous_commit off, so a crash would lose what was acknowledged: set synchronous_commit = on.");
    }
}
