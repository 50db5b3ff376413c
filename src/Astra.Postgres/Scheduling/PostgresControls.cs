using Astra.Kernel;
using Astra.Kernel.Controls;
using Npgsql;

namespace Astra.Postgres.Scheduling;

/// <summary>Limits, weights and paused agents. Written for one tenant under its policy, read for all by the scheduler's role.</summary>
public sealed class PostgresControls : IControls
{
    private const string ReadVersion = "SELECT version FROM controls_version";
    private const string Limits = "SELECT tenant, scope, name, concurrency, per_second, per_minute FROM limits WHERE $1::uuid IS NULL OR tenant = $1 ORDER BY tenant, scope, name COLLATE \"C\"";
    private const string Weights = "SELECT tenant, agent, weight FROM weights WHERE $1::uuid IS NULL OR tenant = $1 ORDER BY tenant, agent COLLATE \"C\"";
    private const string Paused = "SELECT tenant, agent, paused_by, reason, paused_at FROM paused_agents WHERE $1::uuid IS NULL OR tenant = $1 ORDER BY tenant, agent COLLATE \"C\"";

    private const string SetLimit = """
        INSERT INTO limits (tenant, scope, name, concurrency, per_second, per_minute) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant, scope, name) DO UPDATE SET concurrency = excluded.concurrency, per_second = excluded.per_second, per_minute = excluded.per_minute
        """;

    private const string RemoveLimit = "DELETE FROM limits WHERE tenant = $1 AND scope = $2 AND name = $3";

    private const string SetWeight = """
        INSERT INTO weights (tenant, agent, weight) VALUES ($1, $2, $3)
        ON CONFLICT (tenant, agent) DO UPDATE SET weight = excluded.weight
        """;

    private const string RemoveWeight = "DELETE FROM weights WHERE tenant = $1 AND agent = $2";
    private const string Pause = "INSERT INTO paused_agents (tenant, agent, paused_by, reason, paused_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, agent) DO NOTHING";
    private const string Resume = "DELETE FROM paused_agents WHERE tenant = $1 AND agent = $2";

    // In the same transaction: whoever sees the new version sees the change.
    private const string RaiseVersion = "UPDATE controls_version SET version = version + 1";

    private readonly Database _database;

    internal PostgresControls(Database database) => _database = database;

    public async ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.Leases.CreateCommand(ReadVersion);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    public async ValueTask<ControlSet> LoadAsync(CancellationToken cancellationToken)
    {
        // The version first: what is read after it may be newer, and then the next look reads it again.
        var version = await ReadVersionAsync(cancellationToken);
        await using var connection = await _database.Leases.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var sql in (string[])[Limits, Weights, Paused])
        {
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.OptionalUuid(null);
            batch.BatchCommands.Add(command);
        }
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        return new ControlSet(version, await ReadAsync(reader, cancellationToken));
    }

    public async ValueTask<TenantControls> ReadAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, Limits, cancellationToken);
        query.Parameters.OptionalUuid(tenant.Value);
        query.Then(Weights).Parameters.OptionalUuid(tenant.Value);
        query.Then(Paused).Parameters.OptionalUuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return (await ReadAsync(reader, cancellationToken)).SingleOrDefault() ?? TenantControls.None(tenant);
    }

    public async ValueTask<bool> ApplyAsync(TenantId tenant, ControlChange change, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, SqlOf(change), cancellationToken);
        var parameters = query.Parameters.Uuid(tenant.Value);
        switch (change)
        {
            case ControlChange.SetLimit { Limit: var limit }:
                parameters.Smallint((int)limit.Scope).Text(limit.Name).OptionalInteger(limit.Concurrency).OptionalInteger(limit.PerSecond).OptionalInteger(limit.PerMinute);
                break;
            case ControlChange.RemoveLimit remove:
                parameters.Smallint((int)remove.Scope).Text(remove.Name);
                break;
            case ControlChange.SetWeight { Weight: { Value: Weight.Default } usual }:
                parameters.Text(usual.Agent);
                break;
            case ControlChange.SetWeight { Weight: var weight }:
                parameters.Text(weight.Agent).Integer(weight.Value);
                break;
            case ControlChange.PauseAgent { Pause: var pause }:
                parameters.Text(pause.Agent).Text(pause.By).OptionalText(pause.Reason).Timestamp(pause.At);
                break;
            case ControlChange.ResumeAgent resume:
                parameters.Text(resume.Agent);
                break;
        }
        query.Then(RaiseVersion);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        // The statement itself says nothing else than how many rows it touched; a weight that is as it was is no news.
        var touched = query.TouchedByFirst;
        while (await reader.NextResultAsync(cancellationToken))
        {
        }
        return touched > 0 || change is ControlChange.SetWeight;
    }

    private static string SqlOf(ControlChange change) => change switch
    {
        ControlChange.SetLimit => SetLimit,
        ControlChange.RemoveLimit => RemoveLimit,
        ControlChange.SetWeight { Weight.Value: Weight.Default } => RemoveWeight,
        ControlChange.SetWeight => SetWeight,
        ControlChange.PauseAgent => Pause,
        ControlChange.ResumeAgent => Resume,
        _ => throw new InvalidOperationException($"No such change: {change.GetType().Name}."),
    };

    private static async ValueTask<IReadOnlyList<TenantControls>> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var limits = new List<(Guid Tenant, Limit Limit)>();
        while (await reader.ReadAsync(cancellationToken))
            limits.Add((reader.GetGuid(0), new Limit((LimitScope)reader.GetInt16(1), reader.GetString(2), reader.OptionalInteger(3), reader.OptionalInteger(4), reader.OptionalInteger(5))));
        await reader.NextResultAsync(cancellationToken);
        var weights = new List<(Guid Tenant, Weight Weight)>();
        while (await reader.ReadAsync(cancellationToken))
            weights.Add((reader.GetGuid(0), new Weight(reader.GetString(1), reader.GetInt32(2))));
        await reader.NextResultAsync(cancellationToken);
        var paused = new List<(Guid Tenant, PausedAgent Pause)>();
        while (await reader.ReadAsync(cancellationToken))
            paused.Add((reader.GetGuid(0), new PausedAgent(reader.GetString(1), reader.GetString(2), reader.OptionalText(3), reader.GetFieldValue<DateTimeOffset>(4))));

        var (limitsOf, weightsOf, pausedOf) = (limits.ToLookup(row => row.Tenant, row => row.Limit), weights.ToLookup(row => row.Tenant, row => row.Weight), paused.ToLookup(row => row.Tenant, row => row.Pause));
        var tenants = limits.Select(row => row.Tenant).Concat(weights.Select(row => row.Tenant)).Concat(paused.Select(row => row.Tenant)).Distinct().Order();
        return [.. tenants.Select(tenant => new TenantControls(new TenantId(tenant), [.. limitsOf[tenant]], [.. weightsOf[tenant]], [.. pausedOf[tenant]]))];
    }
}
