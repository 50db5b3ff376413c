using System.Globalization;
using Astra.Kernel;
using Astra.Kernel.Tasks;
using Astra.Tools.Webhooks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Webhooks;

/// <summary>
/// Events and messages of all tenants. What makes an event marks the deaths it came from and writes its messages in one
/// transaction: killed before the commit it is all made again, after it nothing is lost and nothing is made twice.
/// </summary>
internal sealed class Outbox(Database database)
{
    /// <summary>A cause of death may bring thousands at once; they are looked at piece by piece.</summary>
    private const int DeathsHeard = 1_000;

    private static readonly TimeSpan TestLease = WebhookSender.TryTimeMax + TimeSpan.FromSeconds(5);

    public async ValueTask<bool> HearAsync(Func<NewGroup, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken)
    {
        await using var connection = await database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await TryNumberAsync(connection, transaction, cancellationToken))
            return false;
        var heard = 0;
        var fresh = new List<NewGroup>();
        await using (var command = new NpgsqlCommand(OutboxSql.HearDeaths, connection, transaction))
        {
            command.Parameters.Integer(DeathsHeard);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                var group = ReadGroup(reader);
                heard += group.Count;
                if (reader.GetBoolean(9))
                    fresh.Add(group);
            }
        }
        if (heard == 0)
            return false;
        await TellAsync(connection, transaction, fresh.Select(group => new Told(group.Tenant, FailureKinds.NewGroup, null, compose(group))), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return heard >= DeathsHeard;
    }

    public async ValueTask TellHoursAsync(Func<HourOfDeaths, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken)
    {
        await using var connection = await database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (!await TryNumberAsync(connection, transaction, cancellationToken))
            return;
        var rates = new List<(TenantId Tenant, DeathRate Rate)>();
        await using (var command = new NpgsqlCommand(OutboxSql.Hours, connection, transaction))
        {
            command.Parameters.Text(FailureKinds.HourlyRates);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
                rates.Add((new TenantId(reader.GetGuid(0)), new DeathRate(reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), reader.GetString(3), reader.GetInt32(4))));
        }
        var hours = rates.GroupBy(rate => (rate.Tenant, rate.Rate.Hour), rate => rate.Rate)
            .Select(hour => new HourOfDeaths(hour.Key.Tenant, hour.Key.Hour, [.. hour]));
        await TellAsync(
            connection, transaction, hours.Select(hour => new Told(hour.Tenant, FailureKinds.HourlyRates, SubjectOf(hour.Hour), compose(hour))), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    public async ValueTask<DueMessage?> PostTestAsync(TenantId tenant, HookId hook, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        await using var connection = await database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var number = new NpgsqlCommand(OutboxSql.Number, connection, transaction))
            await number.ExecuteNonQueryAsync(cancellationToken);
        DueMessage? message = null;
        await using (var command = new NpgsqlCommand(OutboxSql.Test, connection, transaction))
        {
            command.Parameters.Uuid(tenant.Value).Uuid(hook.Value).Text(FailureKinds.Test).Bytes(body).Interval(TestLease);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            if (await reader.ReadAsync(cancellationToken))
                message = ReadDue(reader);
        }
        await transaction.CommitAsync(cancellationToken);
        return message;
    }

    public async ValueTask<IReadOnlyList<DueMessage>> TakeAsync(int countMax, IReadOnlyCollection<HookId> except, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var command = database.Journal.CreateCommand(OutboxSql.Take);
        command.Parameters.Integer(countMax).Column(Of(except), NpgsqlDbType.Uuid).Interval(lease);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var taken = new List<DueMessage>();
        while (await reader.ReadAsync(cancellationToken))
            taken.Add(ReadDue(reader));
        return taken;
    }

    public async ValueTask SettleAsync(DueMessage message, TryOutcome outcome, TimeSpan? retryAfter, CancellationToken cancellationToken)
    {
        var state = outcome.IsDelivered ? MessageState.Delivered : retryAfter is null ? MessageState.Failed : MessageState.Waiting;
        await using var command = database.Journal.CreateCommand(OutboxSql.Settle);
        command.Parameters.Uuid(message.Tenant.Value).Uuid(message.Hook.Value).Bigint(message.Seq).Integer(message.Attempt)
            .Smallint((int)state).OptionalSmallint((short?)outcome.Status).OptionalText(outcome.Problem)
            .OptionalInterval(state == MessageState.Waiting ? retryAfter : null);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask<TimeSpan?> NextDueAsync(IReadOnlyCollection<HookId> except, CancellationToken cancellationToken)
    {
        await using var command = database.Journal.CreateCommand(OutboxSql.NextDue);
        command.Parameters.Column(Of(except), NpgsqlDbType.Uuid);
        return await command.ExecuteScalarAsync(cancellationToken) as TimeSpan?;
    }

    public async ValueTask<OutboxBacklog> ReadBacklogAsync(CancellationToken cancellationToken)
    {
        await using var command = database.Journal.CreateCommand(OutboxSql.Backlog);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new OutboxBacklog(reader.GetInt64(0), reader.GetFieldValue<TimeSpan>(1));
    }

    public async ValueTask ForgetAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        foreach (var sql in (string[])[OutboxSql.ForgetDeaths, OutboxSql.ForgetMessages, OutboxSql.ForgetEvents])
        {
            await using var command = database.Journal.CreateCommand(sql);
            command.Parameters.Interval(age);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>Something else that a tenant may want to hear of, in the transaction of what it is about.</summary>
    public static async ValueTask TellAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, TenantId tenant, string kind, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        await using (var number = new NpgsqlCommand(OutboxSql.Number, connection, transaction))
            await number.ExecuteNonQueryAsync(cancellationToken);
        await TellAsync(connection, transaction, [new Told(tenant, kind, null, body)], cancellationToken);
    }

    private static async ValueTask<bool> TryNumberAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(OutboxSql.TryNumber, connection, transaction);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async ValueTask TellAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IEnumerable<Told> events, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var told in events)
        {
            var command = new NpgsqlBatchCommand(OutboxSql.Tell);
            command.Parameters.Uuid(told.Tenant.Value).Text(told.Kind).OptionalText(told.Subject).Bytes(told.Body);
            batch.BatchCommands.Add(command);
        }
        if (batch.BatchCommands.Count > 0)
            await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string SubjectOf(DateTimeOffset hour) => hour.UtcDateTime.ToString("yyyy-MM-dd'T'HH", CultureInfo.InvariantCulture);

    private static Guid[] Of(IReadOnlyCollection<HookId> hooks) => [.. hooks.Select(hook => hook.Value)];

    private static NewGroup ReadGroup(NpgsqlDataReader reader) => new(
        new TenantId(reader.GetGuid(0)), reader.GetString(1), reader.GetInt32(2), reader.GetString(6), Sorted(reader.GetFieldValue<string[]>(4)), Sorted(reader.GetFieldValue<string[]>(5)),
        new TaskId(reader.GetGuid(7)), new GoalId(reader.GetGuid(8)), reader.GetFieldValue<DateTimeOffset>(3));

    private static DueMessage ReadDue(NpgsqlDataReader reader) => new(
        new TenantId(reader.GetGuid(0)), new HookId(reader.GetGuid(1)), reader.GetInt64(2), reader.GetGuid(3), reader.GetInt32(4), reader.GetString(5), reader.GetString(6),
        reader.GetFieldValue<byte[]>(7), reader.GetFieldValue<byte[]>(8));

    private static string[] Sorted(string[] words) => [.. words.Order(StringComparer.Ordinal)];

    private sealed record Told(TenantId Tenant, string Kind, string? Subject, ReadOnlyMemory<byte> Body);
}
