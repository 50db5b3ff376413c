using Astra.Kernel;
using Astra.Llm.Money;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Money;

/// <summary>Budgets under row-level security, and the draws of all nodes, each in a transaction that locks the periods it is about.</summary>
public sealed class PostgresBudgets : IBudgetStore
{
    private readonly Database _database;

    internal PostgresBudgets(Database database) => _database = database;

    /// <summary>The message about a threshold, for the tenant's hooks; null sends none. It is written in the transaction that
    /// remembers that the threshold was told of.</summary>
    public Func<BudgetAlert, (string Kind, ReadOnlyMemory<byte> Body)>? ComposeAlert { get; set; }

    public async ValueTask<BudgetChanges> ReadChangesAsync(long afterVersion, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        // The version first: what is read after it may be newer, and then the next look reads it again.
        await using var asked = new NpgsqlCommand(BudgetSql.ReadVersion, connection);
        var version = (long)(await asked.ExecuteScalarAsync(cancellationToken))!;
        if (version == afterVersion)
            return new BudgetChanges(version, []);
        await using var command = new NpgsqlCommand(BudgetSql.ReadChanges, connection);
        command.Parameters.Bigint(afterVersion);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var budgets = new List<Budget>();
        while (await reader.ReadAsync(cancellationToken))
            budgets.Add(ReadBudget(reader));
        return new BudgetChanges(version, budgets);
    }

    public async ValueTask SetAsync(Budget budget, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var key = budget.Key;
        if (budget.Cap is not null)
        {
            await using var recount = _database.Journal.CreateCommand(BudgetSql.Recount);
            PeriodColumns.AddTo(recount.Parameters, [PeriodKey.At(key, now)]);
            await recount.ExecuteNonQueryAsync(cancellationToken);
        }
        await using (var query = await TenantQuery.OpenAsync(_database, key.Tenant, BudgetSql.RaiseVersion, cancellationToken))
        {
            query.Then(BudgetSql.Set).Parameters.Uuid(key.Tenant.Value).Smallint((int)key.Level).Text(key.Of).Smallint((int)key.Window)
                .OptionalBigint(budget.Cap?.Value).OptionalSmallint((short?)budget.Degrade?.AtPercent).OptionalText(budget.Degrade?.ToTier)
                .Text(budget.SetBy).Timestamp(budget.SetAt);
            await using var reader = await query.ExecuteAsync(cancellationToken);
            await reader.NextResultAsync(cancellationToken);
        }
        if (budget.Cap is null)
            return;
        await using var open = _database.Journal.CreateCommand(BudgetSql.Open);
        PeriodColumns.AddTo(open.Parameters, [PeriodKey.At(key, now)]);
        await open.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<BudgetStanding>> ListAsync(TenantId tenant, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenAsync(_database, tenant, BudgetSql.List, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Date(DateOnly.FromDateTime(now.UtcDateTime));
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var standings = new List<BudgetStanding>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var budget = ReadBudget(reader);
            standings.Add(new BudgetStanding(
                budget, PeriodKey.At(budget.Key, now), new Nanodollars(reader.GetInt64(9)), new Nanodollars(reader.GetInt64(10)), new Nanodollars(reader.GetInt64(11))));
        }
        return standings;
    }

    public async ValueTask<Nanodollars> ForgiveAsync(BudgetKey budget, CancellationToken cancellationToken)
    {
        // First it is a change of the budget: a node that was only thought dead looks before it goes on, and finds its own recalled.
        await using (var query = await TenantQuery.OpenAsync(_database, budget.Tenant, BudgetSql.RaiseVersion, cancellationToken))
        {
            query.Then(BudgetSql.Touch).Parameters.Uuid(budget.Tenant.Value).Smallint((int)budget.Level).Text(budget.Of).Smallint((int)budget.Window);
            await using var reader = await query.ExecuteAsync(cancellationToken);
            await reader.NextResultAsync(cancellationToken);
        }
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var sql in (string[])[BudgetSql.LockOfBudget, BudgetSql.Forgive])
        {
            await using var command = new NpgsqlCommand(sql, connection, transaction);
            command.Parameters.Uuid(budget.Tenant.Value).Smallint((int)budget.Level).Text(budget.Of).Smallint((int)budget.Window);
            if (sql == BudgetSql.LockOfBudget)
            {
                await command.ExecuteNonQueryAsync(cancellationToken);
                continue;
            }
            var forgiven = (long)(await command.ExecuteScalarAsync(cancellationToken))!;
            await transaction.CommitAsync(cancellationToken);
            return new Nanodollars(forgiven);
        }
        return Nanodollars.Zero;
    }

    public async ValueTask RegisterAsync(LedgerId ledger, string node, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var sql in (string[])[BudgetSql.ForgetLeases, BudgetSql.ForgetHolders, BudgetSql.Register])
            batch.BatchCommands.Add(new NpgsqlBatchCommand(sql));
        batch.BatchCommands[^1].Parameters.Uuid(ledger.Value).Text(node).Interval(lease);
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask<DrawOutcome> DrawAsync(LedgerId ledger, TimeSpan lease, IReadOnlyList<LeaseReport> reports, IReadOnlyList<CallToPay> calls, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var stored = await LookAsync(connection, transaction, ledger, lease, reports, cancellationToken);
        var outcome = DrawRules.Decide(reports, stored, calls);
        if (reports.Count > 0)
            await WriteAsync(connection, transaction, ledger, reports, stored, outcome, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return outcome;
    }

    public async ValueTask CloseAsync(LedgerId ledger, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var sql in (string[])[BudgetSql.CloseLeases, BudgetSql.CloseHolder])
        {
            var command = new NpgsqlBatchCommand(sql);
            command.Parameters.Uuid(ledger.Value);
            batch.BatchCommands.Add(command);
        }
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask<bool> RaiseAsync(BudgetAlert alert, CancellationToken cancellationToken)
    {
        await using var connection = await _database.Journal.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var (key, starts) = (alert.Period.Budget, alert.Period.StartsOn);
        await using (var command = new NpgsqlCommand(BudgetSql.Raise, connection, transaction))
        {
            command.Parameters.Uuid(key.Tenant.Value).Smallint((int)key.Level).Text(key.Of).Smallint((int)key.Window).Date(starts).Smallint(alert.Percent);
            if (await command.ExecuteNonQueryAsync(cancellationToken) == 0)
                return false;
        }
        // The platform is no tenant and has no hooks.
        if (ComposeAlert?.Invoke(alert) is var (kind, body) && key.Tenant != BudgetKey.Platform)
            await Webhooks.Outbox.TellAsync(connection, transaction, key.Tenant, kind, body, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    private static async ValueTask<StoredLease[]> LookAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, LedgerId ledger, TimeSpan lease, IReadOnlyList<LeaseReport> reports, CancellationToken cancellationToken)
    {
        var periods = reports.Select(report => report.Period).ToArray();
        await using var batch = new NpgsqlBatch(connection, transaction);
        var renew = new NpgsqlBatchCommand(BudgetSql.Renew);
        renew.Parameters.Uuid(ledger.Value).Interval(lease);
        batch.BatchCommands.Add(renew);
        if (periods.Length > 0)
        {
            foreach (var sql in (string[])[BudgetSql.Open, BudgetSql.Lock, BudgetSql.ReadLeases])
            {
                var command = new NpgsqlBatchCommand(sql);
                PeriodColumns.AddTo(command.Parameters, periods);
                batch.BatchCommands.Add(command);
            }
            batch.BatchCommands[^1].Parameters.Uuid(ledger.Value);
        }

        var stored = new StoredLease[periods.Length];
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        // The first two have no rows: the reader stands at the locks.
        while (periods.Length > 0 && await reader.ReadAsync(cancellationToken))
            stored[reader.GetInt32(0) - 1] = new StoredLease(new PeriodAccount(null, reader.GetInt64(1), reader.GetInt64(2), 1, reader.GetInt16(3)), 0, 0);
        await reader.NextResultAsync(cancellationToken);
        while (periods.Length > 0 && await reader.ReadAsync(cancellationToken))
        {
            var place = reader.GetInt32(0) - 1;
            stored[place] = new StoredLease(
                stored[place].Account with { Cap = reader.OptionalBigint(1), LedgerCount = reader.GetInt32(4) + 1 }, reader.GetInt64(2), reader.GetInt64(3));
        }
        await reader.DisposeAsync();
        return renew.Rows == 0 ? throw new LedgerUnknownException() : stored;
    }

    private static async ValueTask WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, LedgerId ledger, IReadOnlyList<LeaseReport> reports, StoredLease[] stored, DrawOutcome outcome,
        CancellationToken cancellationToken)
    {
        var periods = reports.Select(report => report.Period).ToArray();
        await using var batch = new NpgsqlBatch(connection, transaction);
        var draw = new NpgsqlBatchCommand(BudgetSql.Draw);
        PeriodColumns.AddTo(draw.Parameters, periods);
        draw.Parameters
            .Column(reports.Select((report, i) => report.Settled - stored[i].Settled).ToArray(), NpgsqlDbType.Bigint)
            .Column(reports.Select((_, i) => outcome.Drawn[i] - stored[i].Drawn).ToArray(), NpgsqlDbType.Bigint)
            .Column(reports.Select((report, i) => outcome.Drawn[i] - report.Drawn).ToArray(), NpgsqlDbType.Bigint);
        var write = new NpgsqlBatchCommand(BudgetSql.Write);
        PeriodColumns.AddTo(write.Parameters, periods);
        write.Parameters.Column(outcome.Drawn.ToArray(), NpgsqlDbType.Bigint).Column(reports.Select(report => report.Settled).ToArray(), NpgsqlDbType.Bigint).Uuid(ledger.Value);
        batch.BatchCommands.Add(draw);
        batch.BatchCommands.Add(write);
        await batch.ExecuteNonQueryAsync(cancellationToken);
        if (draw.Rows != (ulong)periods.Length)
            throw new DatabaseException("A budget was lowered while it was drawn from; the draw is made again.");
    }

    private static Budget ReadBudget(NpgsqlDataReader reader) => new(
        new BudgetKey(new TenantId(reader.GetGuid(0)), (BudgetLevel)reader.GetInt16(1), reader.GetString(2), (BudgetWindow)reader.GetInt16(3)),
        reader.OptionalBigint(4) is { } cap ? new Nanodollars(cap) : null,
        reader.IsDBNull(5) ? null : new Degradation(reader.GetInt16(5), reader.GetString(6)), reader.GetString(7), reader.GetFieldValue<DateTimeOffset>(8));
}

/// <summary>Keys of periods as columns, for unnest.</summary>
internal static class PeriodColumns
{
    public static void AddTo(NpgsqlParameterCollection parameters, PeriodKey[] periods) => parameters
        .Column(Array.ConvertAll(periods, period => period.Budget.Tenant.Value), NpgsqlDbType.Uuid)
        .Column(Array.ConvertAll(periods, period => (short)period.Budget.Level), NpgsqlDbType.Smallint)
        .Column(Array.ConvertAll(periods, period => period.Budget.Of), NpgsqlDbType.Text)
        .Column(Array.ConvertAll(periods, period => (short)period.Budget.Window), NpgsqlDbType.Smallint)
        .Column(Array.ConvertAll(periods, period => period.StartsOn), NpgsqlDbType.Date);
}
