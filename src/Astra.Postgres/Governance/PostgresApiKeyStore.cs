using Astra.Governance;
using Astra.Kernel;
using Npgsql;

namespace Astra.Postgres.Governance;

/// <summary>API keys by their hash. A key is found without knowing its tenant, by the only one who can: who has it.</summary>
public sealed class PostgresApiKeyStore : IApiKeyStore
{
    private const string Columns = "id, tenant, name, role, created_at, revoked_at";

    private const string ShowHash = "SELECT set_config('astra.key_sha256', $1, true)";
    private const string Find = $"SELECT {Columns} FROM api_keys WHERE sha256 = $1";
    private const string Add = "INSERT INTO api_keys (id, tenant, name, role, created_at, revoked_at, sha256) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    private const string Revoke = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, clock_timestamp()) WHERE tenant = $1 AND id = $2 RETURNING id";
    private const string List = $"SELECT {Columns} FROM api_keys WHERE tenant = $1 ORDER BY created_at DESC, id";

    private readonly Database _database;
    private readonly Gathered<string, ApiKeyRecord> _lookups;

    internal PostgresApiKeyStore(Database database)
    {
        _database = database;
        _lookups = new Gathered<string, ApiKeyRecord>(FindAllAsync);
    }

    public async ValueTask<ApiKeyRecord?> FindAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken) =>
        await _lookups.AskAsync(Convert.ToHexStringLower(sha256.Span), cancellationToken);

    /// <summary>Each hash is shown to the database for its own lookup only, as if it had been asked for alone.</summary>
    private async Task<IReadOnlyDictionary<string, ApiKeyRecord>> FindAllAsync(IReadOnlyCollection<string> hashes)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection);
        foreach (var hash in hashes)
        {
            var show = new NpgsqlBatchCommand(ShowHash);
            show.Parameters.Text(hash);
            var find = new NpgsqlBatchCommand(Find);
            find.Parameters.Bytes(Convert.FromHexString(hash));
            batch.BatchCommands.Add(show);
            batch.BatchCommands.Add(find);
        }

        var found = new Dictionary<string, ApiKeyRecord>(StringComparer.Ordinal);
        await using var reader = await batch.ExecuteReaderAsync();
        foreach (var hash in hashes)
        {
            await reader.NextResultAsync();
            if (await reader.ReadAsync())
                found[hash] = Read(reader);
            await reader.NextResultAsync();
        }
        return found;
    }

    public async ValueTask AddAsync(ApiKeyRecord key, ReadOnlyMemory<byte> sha256, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, key.Tenant, Add, cancellationToken);
        query.Parameters.Uuid(key.Id).Uuid(key.Tenant.Value).Text(key.Name).Smallint((short)key.Role)
            .Timestamp(key.CreatedAt).OptionalTimestamp(key.RevokedAt).Bytes(sha256);
        await using var reader = await query.ExecuteAsync(cancellationToken);
    }

    public async ValueTask<bool> RevokeAsync(TenantId tenant, Guid id, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Revoke, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(id);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<ApiKeyRecord>> ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, List, cancellationToken);
        query.Parameters.Uuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var keys = new List<ApiKeyRecord>();
        while (await reader.ReadAsync(cancellationToken))
            keys.Add(Read(reader));
        return keys;
    }

    private static ApiKeyRecord Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        new TenantId(reader.GetGuid(1)),
        reader.GetString(2),
        (Role)reader.GetInt16(3),
        reader.GetFieldValue<DateTimeOffset>(4),
        reader.OptionalTime(5));
}
