using Astra.Agents;
using Astra.Kernel;
using Astra.Postgres.Projection;

namespace Astra.Postgres.Agents;

/// <summary>Profiles of agents, each tenant's under its policy.</summary>
public sealed class PostgresProfileStore : IProfileStore
{
    // Plans that run hold on to the profile they were made with; nobody edits one so often while a goal runs.
    private const int KeptMax = 100;

    private const string Save = """
        INSERT INTO agent_profiles AS p (tenant, agent, digest, content, set_by, set_at)
        SELECT $1, $2, $3, $4, $5, clock_timestamp()
        WHERE EXISTS (SELECT FROM agents AS a WHERE a.tenant = $1 AND a.name = $2 AND a.class = 'profile')
        ON CONFLICT (tenant, agent, digest) DO UPDATE SET set_at = excluded.set_at, set_by = excluded.set_by
        RETURNING p.digest
        """;

    private const string Prune = """
        DELETE FROM agent_profiles WHERE tenant = $1 AND agent = $2 AND digest NOT IN (
            SELECT p.digest FROM agent_profiles AS p WHERE p.tenant = $1 AND p.agent = $2 ORDER BY p.set_at DESC LIMIT $3)
        """;

    private const string Find = """
        SELECT p.digest, p.content, p.set_by FROM agent_profiles AS p
        WHERE p.tenant = $1 AND p.agent = $2 AND ($3::text IS NULL OR p.digest = $3)
        ORDER BY p.set_at DESC LIMIT 1
        """;

    private readonly Database _database;

    internal PostgresProfileStore(Database database) => _database = database;

    public async ValueTask<bool> SaveAsync(TenantId tenant, StoredProfile profile, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Save, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(profile.Agent).Text(profile.Digest).Bytes(profile.Content).Text(profile.SetBy);
        query.Then(Prune).Parameters.Uuid(tenant.Value).Text(profile.Agent).Integer(KeptMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var isSaved = await reader.ReadAsync(cancellationToken);
        while (await reader.NextResultAsync(cancellationToken))
        {
            // To the end: only there has the transaction been committed.
        }
        return isSaved;
    }

    public async ValueTask<StoredProfile?> FindAsync(TenantId tenant, string agent, string? digest, CancellationToken cancellationToken)
    {
        if (!StorableText.IsStorable(agent) || digest is not null && !StorableText.IsStorable(digest))
            return null;
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, Find, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(agent).OptionalText(digest);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? new StoredProfile(agent, reader.GetString(0), reader.GetFieldValue<byte[]>(1), reader.GetString(2)) : null;
    }
}
