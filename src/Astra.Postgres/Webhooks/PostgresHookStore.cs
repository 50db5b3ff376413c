using Astra.Kernel;
using Astra.Tools.Webhooks;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Webhooks;

/// <summary>Hooks under row-level security, and their outbox, which the role that projects fills and empties for everybody.</summary>
public sealed class PostgresHookStore : IHookStore
{
    private readonly Database _database;
    private readonly Outbox _outbox;

    internal PostgresHookStore(Database database) => (_database, _outbox) = (database, new Outbox(database));

    public async ValueTask<bool> AddAsync(Hook hook, ReadOnlyMemory<byte> sealedSecret, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, hook.Tenant, HookSql.Add, cancellationToken);
        query.Parameters.Uuid(hook.Tenant.Value).Uuid(hook.Id.Value).Text(hook.Url).Column([.. hook.Kinds], NpgsqlDbType.Text)
            .Text(hook.CreatedBy).Timestamp(hook.CreatedAt).Bytes(sealedSecret).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        // Of both statements; the first only sets the tenant and changes no row.
        return reader.RecordsAffected == 1;
    }

    public async ValueTask<IReadOnlyList<HookStanding>> ListAsync(TenantId tenant, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, HookSql.List, cancellationToken);
        query.Parameters.Uuid(tenant.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var hooks = new List<HookStanding>();
        while (await reader.ReadAsync(cancellationToken))
            hooks.Add(ReadStanding(tenant, reader));
        return hooks;
    }

    public async ValueTask<IReadOnlyList<HookMessage>> ListMessagesAsync(TenantId tenant, HookId hook, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, HookSql.ListMessages, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(hook.Value).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var messages = new List<HookMessage>();
        while (await reader.ReadAsync(cancellationToken))
            messages.Add(new HookMessage(
                reader.GetGuid(0), reader.GetString(1), (MessageState)reader.GetInt16(2), reader.GetInt32(3), reader.GetFieldValue<DateTimeOffset>(4),
                reader.OptionalTime(5), reader.OptionalTime(6), reader.IsDBNull(7) ? null : reader.GetInt16(7), reader.OptionalText(8)));
        return messages;
    }

    public async ValueTask<bool> RemoveAsync(TenantId tenant, HookId hook, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, HookSql.Remove, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(hook.Value);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<FailureEvent>> ListEventsAsync(TenantId tenant, long after, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, HookSql.ListEvents, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Bigint(after).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var events = new List<FailureEvent>();
        while (await reader.ReadAsync(cancellationToken))
            events.Add(new FailureEvent(reader.GetInt64(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2), reader.GetFieldValue<byte[]>(3)));
        return events;
    }

    public ValueTask<bool> HearAsync(Func<NewGroup, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken) => _outbox.HearAsync(compose, cancellationToken);

    public ValueTask TellHoursAsync(Func<HourOfDeaths, ReadOnlyMemory<byte>> compose, CancellationToken cancellationToken) => _outbox.TellHoursAsync(compose, cancellationToken);

    public ValueTask<DueMessage?> PostTestAsync(TenantId tenant, HookId hook, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        _outbox.PostTestAsync(tenant, hook, body, cancellationToken);

    public ValueTask<IReadOnlyList<DueMessage>> TakeAsync(int countMax, IReadOnlyCollection<HookId> except, TimeSpan lease, CancellationToken cancellationToken) =>
        _outbox.TakeAsync(countMax, except, lease, cancellationToken);

    public ValueTask SettleAsync(DueMessage message, TryOutcome outcome, TimeSpan? retryAfter, CancellationToken cancellationToken) =>
        _outbox.SettleAsync(message, outcome, retryAfter, cancellationToken);

    public ValueTask<TimeSpan?> NextDueAsync(IReadOnlyCollection<HookId> except, CancellationToken cancellationToken) => _outbox.NextDueAsync(except, cancellationToken);

    public ValueTask<OutboxBacklog> ReadBacklogAsync(CancellationToken cancellationToken) => _outbox.ReadBacklogAsync(cancellationToken);

    public ValueTask ForgetAsync(TimeSpan age, CancellationToken cancellationToken) => _outbox.ForgetAsync(age, cancellationToken);

    private static HookStanding ReadStanding(TenantId tenant, NpgsqlDataReader reader) => new(
        new Hook(tenant, new HookId(reader.GetGuid(0)), reader.GetString(1), reader.GetFieldValue<string[]>(2), reader.GetString(3), reader.GetFieldValue<DateTimeOffset>(4)),
        reader.GetInt32(5), reader.GetInt32(6), reader.OptionalTime(7), reader.OptionalTime(8), reader.OptionalText(9));
}
