using Astra.Kernel;
using Npgsql;

namespace Astra.Postgres;

/// <summary>
/// A statement on behalf of one tenant: the tenant is set for the transaction in the same batch, so it costs no round
/// trip and cannot outlive the transaction.
/// </summary>
/// <remarks>There is deliberately no way to run a statement as astra_app without naming a tenant.</remarks>
internal sealed class TenantQuery : IAsyncDisposable
{
    private const string SetTenant = "SELECT set_config('astra.tenant', $1, true)";

    // A statement keeps the plan that was made for it. One that was made while the table held ten rows reads all of it,
    // and goes on to when there are a million, until somebody has counted them.
    private const string SetTenantByKey = "SELECT set_config('astra.tenant', $1, true), set_config('enable_seqscan', 'off', true)";

    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlBatch _batch;
    private readonly NpgsqlBatchCommand _first;
    private NpgsqlBatchCommand _last;

    private TenantQuery(NpgsqlConnection connection, string setTenant, TenantId tenant, string sql)
    {
        _connection = connection;
        var set = new NpgsqlBatchCommand(setTenant);
        set.Parameters.Text(tenant.Value.ToString());
        _first = _last = new NpgsqlBatchCommand(sql);
        _batch = new NpgsqlBatch(connection) { BatchCommands = { set, _last } };
    }

    /// <summary>Of the latest statement.</summary>
    public NpgsqlParameterCollection Parameters => _last.Parameters;

    /// <summary>How many rows the first statement has written; known once its result was reached.</summary>
    public ulong TouchedByFirst => _first.Rows;

    public static async ValueTask<TenantQuery> OpenAsync(Database database, TenantId tenant, string sql, CancellationToken cancellationToken) =>
        new(await database.App.OpenConnectionAsync(cancellationToken), SetTenant, tenant, sql);

    /// <summary>For what finds its rows by a key: planned to use its index, however few rows there are yet.</summary>
    public static async ValueTask<TenantQuery> OpenByKeyAsync(Database database, TenantId tenant, string sql, CancellationToken cancellationToken) =>
        new(await database.App.OpenConnectionAsync(cancellationToken), SetTenantByKey, tenant, sql);

    /// <summary>Another statement in the same transaction and round trip.</summary>
    public TenantQuery Then(string sql)
    {
        _last = new NpgsqlBatchCommand(sql);
        _batch.BatchCommands.Add(_last);
        return this;
    }

    /// <summary>Stands at the result of the first statement.</summary>
    public async ValueTask<NpgsqlDataReader> ExecuteAsync(CancellationToken cancellationToken)
    {
        var reader = await _batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return reader;
    }

    public async ValueTask DisposeAsync()
    {
        await _batch.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
