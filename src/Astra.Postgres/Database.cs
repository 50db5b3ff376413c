using Npgsql;

namespace Astra.Postgres;

/// <summary>One database, and a pool of connections for each role in it.</summary>
internal sealed class Database : IAsyncDisposable
{
    private readonly NpgsqlConnectionStringBuilder _administrator;
    private readonly Func<DatabaseRole, NpgsqlConnectionStringBuilder> _connectionFor;
    private readonly Dictionary<DatabaseRole, NpgsqlDataSource> _sources;

    private Database(
        NpgsqlConnectionStringBuilder administrator, bool isPrivate, Func<DatabaseRole, NpgsqlConnectionStringBuilder> connectionFor)
    {
        _administrator = administrator;
        _connectionFor = connectionFor;
        IsPrivate = isPrivate;
        _sources = DatabaseRole.Serving.ToDictionary(role => role, role => NpgsqlDataSource.Create(Tuned(role)));
    }

    /// <summary>Whether the whole server is Astra's, roles included.</summary>
    public bool IsPrivate { get; }

    public NpgsqlDataSource App => _sources[DatabaseRole.App];
    public NpgsqlDataSource Journal => _sources[DatabaseRole.Journal];
    public NpgsqlDataSource Leases => _sources[DatabaseRole.Leases];

    public static Database Of(PostgresOptions options)
    {
        if (options.Cluster is { } cluster)
        {
            return new Database(
                new NpgsqlConnectionStringBuilder(cluster.ConnectionStringFor(Cluster.PrivateCluster.Superuser, options.Database)),
                isPrivate: true,
                role => new NpgsqlConnectionStringBuilder(cluster.ConnectionStringFor(role.Name, options.Database)));
        }

        var given = options.ConnectionString ?? throw new DatabaseException("There is no database to use: name one with --database, or let Astra run its own.");
        var login = ConnectionUrl.Parse(given);
        // The role is a start-up option and not a SET ROLE: it is there from the first statement and survives a reset.
        return new Database(login, isPrivate: false, role => new NpgsqlConnectionStringBuilder(login.ConnectionString)
        {
            Options = $"{login.Options} -c role={role.Name}".TrimStart(),
        });
    }

    /// <summary>As whoever the administrator says we are. Only for setting up.</summary>
    public ValueTask<NpgsqlConnection> OpenAsAdministratorAsync(CancellationToken cancellationToken) =>
        OpenOnceAsync(_administrator, cancellationToken);

    public ValueTask<NpgsqlConnection> OpenAsOwnerAsync(CancellationToken cancellationToken) =>
        OpenOnceAsync(Tuned(DatabaseRole.Owner), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (var source in _sources.Values)
            await source.DisposeAsync();
    }

    private NpgsqlConnectionStringBuilder Tuned(DatabaseRole role) => new(_connectionFor(role).ConnectionString)
    {
        ApplicationName = $"astra ({role.Name})",
        SearchPath = "astra",
        MaxPoolSize = role.ConnectionCountMax,
        // Every statement is a constant, so each is planned once for each connection.
        MaxAutoPrepare = 64,
        AutoPrepareMinUsages = 2,
        // Nothing here changes the session, only its transaction; resetting would cost a statement for each use.
        NoResetOnClose = true,
        Enlist = false,
        Timeout = 10,
        CommandTimeout = 30,
        KeepAlive = 5,
        Options = role == DatabaseRole.Journal ? $"{_connectionFor(role).Options} {ByIndexOnly}".TrimStart() : _connectionFor(role).Options,
    };

    /// <summary>What appends and projects finds every row through an index made for it. A plan that was made while a table
    /// was empty, and therefore reads all of it, must not be kept while it grows to millions.</summary>
    private const string ByIndexOnly = "-c enable_seqscan=off";

    private static async ValueTask<NpgsqlConnection> OpenOnceAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch (NpgsqlException exception)
        {
            await connection.DisposeAsync();
            throw new DatabaseException($"The database at {settings.Host} does not let {settings.Username} in ({exception.Message}): check the address, the account and whether the server runs.", exception);
        }
    }
}
