using Astra.Governance;
using Astra.Kernel;

namespace Astra.Postgres.Governance;

/// <summary>Sealed secrets, each tenant's under its policy.</summary>
public sealed class PostgresSecretStore : ISecretStore
{
    private const string Set = """
        INSERT INTO secrets AS s (tenant, name, key_id, sealed, set_by, created_at, set_at)
        SELECT $1, $2, $3, $4, $5, $6, $6
        WHERE EXISTS (SELECT FROM secrets AS known WHERE known.tenant = $1 AND known.name = $2) OR (SELECT count(*) FROM secrets AS each WHERE each.tenant = $1) < $7
        ON CONFLICT (tenant, name) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed, set_by = excluded.set_by, set_at = excluded.set_at
        RETURNING s.name
        """;

    private const string Find = "SELECT s.key_id, s.sealed FROM secrets AS s WHERE s.tenant = $1 AND s.name = $2";
    private const string List = "SELECT s.name, s.key_id, s.set_by, s.created_at, s.set_at FROM secrets AS s WHERE s.tenant = $1 ORDER BY s.name COLLATE \"C\"";
    private const string Remove = "DELETE FROM secrets WHERE tenant = $1 AND name = $2 RETURNING name";

    private readonly Database _database;

    internal PostgresSecretStore(Database database) => _database = database;

    public async ValueTask<bool> SetAsync(TenantId tenant, SecretRecord secret, ReadOnlyMemory<byte> box, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Set, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(secret.Name).Text(secret.KeyId).Bytes(box).Text(secret.SetBy).Timestamp(secret.SetAt).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    public async ValueTask<(string KeyId, byte[] Box)?> FindAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, Find, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(name);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? (reader.GetString(0), reader.GetFieldValue<byte[]>(1)) : null;
    }

    public async ValueTask<IReadOnlyList<SecretRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, List, cancellationToken);
        query.Parameters.Uuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var secrets = new List<SecretRecord>();
        while (await reader.ReadAsync(cancellationToken))
        {
            secrets.Add(new SecretRecord(
                reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetFieldValue<DateTimeOffset>(3), reader.GetFieldValue<DateTimeOffset>(4)));
        }
        return secrets;
    }

    public async ValueTask<bool> RemoveAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Remove, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(name);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }
}
