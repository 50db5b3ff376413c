using Astra.Kernel;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Leases;

/// <summary>
/// Shard ownership in PostgreSQL, by PostgreSQL's clock. Renewing touches no shard and therefore waits for nobody's
/// commit; only taking does, and it gives up after two seconds and tries again with the next renewal.
/// </summary>
/// <remarks>Each step is one message and one transaction. A process that is stopped in between holds no lock that
/// others wait for.</remarks>
public sealed class PostgresShardLeases : IShardLeases
{
    private readonly Database _database;
    private readonly TimeSpan _duration;

    internal PostgresShardLeases(Database database, TimeSpan duration)
    {
        _database = database;
        _duration = duration;
    }

    public async ValueTask<LeaseRenewal> RenewAsync(NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Leases.OpenConnectionAsync(cancellationToken);
        await RenewAsync(connection, self, cancellationToken);
        try
        {
            return await TakeAsync(connection, self, release, cancellationToken);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            // Somebody's commit takes longer than we wait. What we have is ours all the same, and what we wanted to give
            // back we still have: it is surplus again in the answer.
            return await DescribeAsync(connection, self, cancellationToken);
        }
    }

    public async ValueTask LeaveAsync(NodeRegistration self, CancellationToken cancellationToken)
    {
        await using var command = _database.Leases.CreateCommand(LeaseSql.Leave);
        command.Parameters.Text(self.Node.Value).Uuid(self.Incarnation);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async ValueTask RenewAsync(NpgsqlConnection connection, NodeRegistration self, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        Add(batch, LeaseSql.TakeTurn);
        Add(batch, LeaseSql.Renew).Text(self.Node.Value).Text(self.Address).Uuid(self.Incarnation).Interval(_duration).Boolean(self.IsDraining);
        Add(batch, LeaseSql.Forget);
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private async ValueTask<LeaseRenewal> TakeAsync(
        NpgsqlConnection connection, NodeRegistration self, IReadOnlyCollection<ShardId> release, CancellationToken cancellationToken)
    {
        var released = release.Select(shard => (short)shard.Value).ToArray();
        await using var batch = new NpgsqlBatch(connection);
        Add(batch, LeaseSql.WaitAtMost);
        Add(batch, LeaseSql.TakeTurn);
        Add(batch, LeaseSql.LockFree).Text(self.Node.Value).Column(released, NpgsqlDbType.Smallint);
        Add(batch, LeaseSql.Release).Text(self.Node.Value).Column(released, NpgsqlDbType.Smallint);
        Add(batch, LeaseSql.Take).Text(self.Node.Value);
        Add(batch, LeaseSql.ReadNodes);
        Add(batch, LeaseSql.ReadShards);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        // Three results say nothing: how long we wait, whose turn it is, and which rows are locked.
        await reader.NextResultAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        return await ReadAsync(reader, self, cancellationToken);
    }

    private async ValueTask<LeaseRenewal> DescribeAsync(NpgsqlConnection connection, NodeRegistration self, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        Add(batch, LeaseSql.ReadNodes);
        Add(batch, LeaseSql.ReadShards);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        return await ReadAsync(reader, self, cancellationToken);
    }

    private async ValueTask<LeaseRenewal> ReadAsync(NpgsqlDataReader reader, NodeRegistration self, CancellationToken cancellationToken)
    {
        var nodes = new List<Node>();
        while (await reader.ReadAsync(cancellationToken))
        {
            nodes.Add(new Node(
                new NodeRegistration(new NodeId(reader.GetString(0)), reader.GetString(1), reader.GetGuid(2)) { IsDraining = reader.GetBoolean(5) }, reader.GetInt64(3), reader.GetBoolean(4)));
        }
        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var epochs = reader.GetFieldValue<long[]>(0);
        var leases = reader.GetFieldValue<long[]>(1);

        var living = nodes.Where(node => node.IsAlive).ToDictionary(node => node.LeaseId, node => node.Registration);
        var owners = leases.Select(lease => living.GetValueOrDefault(lease)).ToArray();
        var counts = leases.CountBy(lease => lease).ToDictionary();
        var owned = ShardId.All.Where(shard => owners[shard.Value] is { } owner && owner.Node == self.Node && owner.Incarnation == self.Incarnation).ToArray();
        var taking = living.Values.Count(node => !node.IsDraining) is var some and > 0 ? some : int.Max(1, living.Count);
        var fairShare = self.IsDraining && living.Values.Any(node => !node.IsDraining) ? 0 : (ShardId.Count + taking - 1) / taking;
        return new LeaseRenewal(
            _duration,
            owned.ToDictionary(shard => shard, shard => new Epoch(epochs[shard.Value])),
            owned.Skip(fairShare).ToArray(),
            owners,
            nodes.Select(node => new NodeStanding(
                node.Registration, node.IsAlive ? counts.GetValueOrDefault(node.LeaseId) : 0, node.IsAlive)).ToArray());
    }

    private static NpgsqlParameterCollection Add(NpgsqlBatch batch, string sql)
    {
        var command = new NpgsqlBatchCommand(sql);
        batch.BatchCommands.Add(command);
        return command.Parameters;
    }

    private sealed record Node(NodeRegistration Registration, long LeaseId, bool IsAlive);
}
