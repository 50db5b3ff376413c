using Astra.Governance;
using Astra.Kernel;
using Npgsql;

namespace Astra.Postgres.Governance;

/// <summary>Tenants by name. A name shows its own row and no other.</summary>
public sealed class PostgresTenantStore : ITenantStore
{
    private const string ShowName = "SELECT set_config('astra.tenant_name', $1, true)";
    private const string Add = "INSERT INTO tenants (tenant, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    private const string Find = "SELECT tenant FROM tenants WHERE name = $1";

    private readonly Database _database;

    internal PostgresTenantStore(Database database) => _database = database;

    public async ValueTask<TenantId?> FindAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await _database.App.OpenConnectionAsync(cancellationToken);
        var show = new NpgsqlBatchCommand(ShowName);
        show.Parameters.Text(name);
        var find = new NpgsqlBatchCommand(Find);
        find.Parameters.Text(name);
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { show, find } };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? new TenantId(reader.GetGuid(0)) : null;
    }

    public async ValueTask<TenantId> EnsureAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await _database.App.OpenConnectionAsync(cancellationToken);
        var show = new NpgsqlBatchCommand(ShowName);
        show.Parameters.Text(name);
        var add = new NpgsqlBatchCommand(Add);
        add.Parameters.Uuid(Guid.CreateVersion7()).Text(name);
        // Another statement and not RETURNING, which says nothing when another node was faster.
        var find = new NpgsqlBatchCommand(Find);
        find.Parameters.Text(name);
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { show, add, find } };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new TenantId(reader.GetGuid(0));
    }
}
