using Astra.Governance;
using Astra.Kernel;

namespace Astra.Postgres.Governance;

/// <summary>The agents a tenant can address by name.</summary>
public sealed class PostgresAgentRegistry : IAgentRegistry
{
    private const string Register = """
        INSERT INTO agents (tenant, name, description) VALUES ($1, $2, $3)
        ON CONFLICT (tenant, name) DO UPDATE SET description = excluded.description
        """;

    private const string List = "SELECT name, description, registered_at FROM agents WHERE tenant = $1 ORDER BY name";

    private readonly Database _database;

    internal PostgresAgentRegistry(Database database) => _database = database;

    public async ValueTask RegisterAsync(TenantId tenant, string name, string description, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Register, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(name).Text(description);
        await using var reader = await query.ExecuteAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<RegisteredAgent>> ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, List, cancellationToken);
        query.Parameters.Uuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var agents = new List<RegisteredAgent>();
        while (await reader.ReadAsync(cancellationToken))
            agents.Add(new RegisteredAgent(reader.GetString(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2)));
        return agents;
    }
}
