using System.Collections.Concurrent;
using Astra.Kernel;
using Astra.Postgres.Projection;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Agents;

/// <summary>
/// The agents in PostgreSQL. People create, list and load them under row-level security; states are saved and rows
/// removed by the role that writes the log, under the same fence.
/// </summary>
public sealed class PostgresAgentStore : IAgentStore
{
    // One answer holds the states of at most this many agents.
    private const int LoadedAtOnceMax = 256;

    private readonly Database _database;

    // Of each tenant by itself: a statement sees one tenant only, and none waits for another's.
    private readonly ConcurrentDictionary<TenantId, Gathered<string, AgentRow>> _loads = [];

    internal PostgresAgentStore(Database database) => _database = database;

    public async ValueTask<AgentRow?> RegisterAsync(TenantId tenant, AgentDefinition agent, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, AgentSql.Register, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(agent.Name).OptionalText(agent.Class).Text(agent.Description).OptionalInterval(agent.IdleTimeout);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? Read(tenant, reader) : null;
    }

    public async ValueTask<int> CreateAsync(TenantId tenant, IReadOnlyList<AgentDefinition> agents, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, AgentSql.Create, cancellationToken);
        query.Parameters.Uuid(tenant.Value)
            .Column([.. agents.Select(agent => agent.Name)], NpgsqlDbType.Text)
            .Column([.. agents.Select(agent => agent.Class)], NpgsqlDbType.Text)
            .Column([.. agents.Select(agent => agent.Description)], NpgsqlDbType.Text)
            .Column([.. agents.Select(agent => agent.IdleTimeout)], NpgsqlDbType.Interval);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        // Of both statements; the first only sets the tenant and changes no row.
        return reader.RecordsAffected;
    }

    public async ValueTask<IReadOnlyList<AgentRow>> ListAsync(TenantId tenant, string? after, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, AgentSql.List, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(after ?? "").Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var rows = new List<AgentRow>();
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(Read(tenant, reader));
        return rows;
    }

    /// <summary>Those that are asked for at the same time are read with one statement.</summary>
    public async ValueTask<AgentRow?> LoadAsync(TenantId tenant, string name, CancellationToken cancellationToken) =>
        // One name that cannot be sent would fail all that are asked for with it.
        StorableText.IsStorable(name)
            ? await _loads.GetOrAdd(tenant, static (tenant, store) => new Gathered<string, AgentRow>(names => store.LoadAllAsync(tenant, names)), this).AskAsync(name, cancellationToken)
            : null;

    private async Task<IReadOnlyDictionary<string, AgentRow>> LoadAllAsync(TenantId tenant, IReadOnlyCollection<string> names)
    {
        var found = new Dictionary<string, AgentRow>(StringComparer.Ordinal);
        foreach (var some in names.Chunk(LoadedAtOnceMax))
        {
            await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, AgentSql.Load, CancellationToken.None);
            query.Parameters.Uuid(tenant.Value).Column(some, NpgsqlDbType.Text);
            await using var reader = await query.ExecuteAsync(CancellationToken.None);
            while (await reader.ReadAsync())
                found.Add(reader.GetString(0), Read(tenant, reader));
        }
        return found;
    }

    public async ValueTask<string?> FindClassAsync(TenantId tenant, string name, CancellationToken cancellationToken)
    {
        if (!StorableText.IsStorable(name))
            return null;
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, AgentSql.FindClass, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Text(name);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? reader.GetString(0) : null;
    }

    public async ValueTask<IReadOnlyList<AgentSaveOutcome>> SaveAsync(IReadOnlyList<AgentSave> saves, CancellationToken cancellationToken)
    {
        if (saves.Count == 0)
            return [];
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        AddLock(batch, [.. saves.Select(save => (save.Shard, save.Epoch)).Distinct()]);
        foreach (var save in saves)
        {
            var update = new NpgsqlBatchCommand(AgentSql.Save);
            update.Parameters.Smallint(save.Shard.Value).Bigint(save.Epoch.Value).Uuid(save.Tenant.Value).Text(save.Name).Bigint(save.Version).Bytes(save.State);
            batch.BatchCommands.Add(update);
        }
        var held = await ExecuteAsync(batch, cancellationToken);
        return [.. saves.Select((save, index) => Outcome(batch.BatchCommands[index + 1], held.Contains((save.Shard, save.Epoch))))];
    }

    public async ValueTask<AgentSaveOutcome> RemoveAsync(ShardId shard, Epoch epoch, TenantId tenant, string name, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        AddLock(batch, [(shard, epoch)]);
        var delete = new NpgsqlBatchCommand(AgentSql.Remove);
        delete.Parameters.Smallint(shard.Value).Bigint(epoch.Value).Uuid(tenant.Value).Text(name);
        batch.BatchCommands.Add(delete);
        var held = await ExecuteAsync(batch, cancellationToken);
        return Outcome(delete, held.Contains((shard, epoch)));
    }

    private static void AddLock(NpgsqlBatch batch, (ShardId Shard, Epoch Epoch)[] owned)
    {
        var takeLock = new NpgsqlBatchCommand(AgentSql.Lock);
        takeLock.Parameters
            .Column(Array.ConvertAll(owned, shard => (short)shard.Shard.Value), NpgsqlDbType.Smallint)
            .Column(Array.ConvertAll(owned, shard => shard.Epoch.Value), NpgsqlDbType.Bigint);
        batch.BatchCommands.Add(takeLock);
    }

    /// <returns>What the lock got hold of.</returns>
    private static async ValueTask<HashSet<(ShardId, Epoch)>> ExecuteAsync(NpgsqlBatch batch, CancellationToken cancellationToken)
    {
        var held = new HashSet<(ShardId, Epoch)>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            held.Add((new ShardId(reader.GetInt16(0)), new Epoch(reader.GetInt64(1))));
        while (await reader.NextResultAsync(cancellationToken))
        {
            // To the end: only there has the transaction been committed.
        }
        return held;
    }

    private static AgentSaveOutcome Outcome(NpgsqlBatchCommand command, bool isHeld) =>
        command.RecordsAffected == 1 ? AgentSaveOutcome.Saved : isHeld ? AgentSaveOutcome.Stale : AgentSaveOutcome.Fenced;

    private static AgentRow Read(TenantId tenant, NpgsqlDataReader reader) => new()
    {
        Tenant = tenant,
        Name = reader.GetString(0),
        Class = reader.GetString(1),
        Description = reader.GetString(2),
        IdleTimeout = reader.IsDBNull(3) ? null : reader.GetTimeSpan(3),
        StateVersion = reader.GetInt64(4),
        RegisteredAt = reader.GetFieldValue<DateTimeOffset>(5),
        SavedAt = reader.OptionalTime(6),
        State = reader.GetFieldValue<byte[]>(7),
    };
}
