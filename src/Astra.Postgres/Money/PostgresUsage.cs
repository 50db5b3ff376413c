using Astra.Kernel;
using Astra.Llm.Money;
using Npgsql;
using NpgsqlTypes;

namespace Astra.Postgres.Money;

/// <summary>What attempts came to: written for all tenants in one statement, read for one.</summary>
public sealed class PostgresUsage : IUsageStore, IUsageReads
{
    private const string Insert = """
        INSERT INTO model_usage (tenant, attempt, request, at, goal, task, agent, api_key, provider, model, operation, outcome, source,
            input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, price_valid_from, duration_ms, first_token_ms, calls)
        SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::timestamptz[]), unnest($5::uuid[]), unnest($6::uuid[]),
            unnest($7::text[]), unnest($8::uuid[]), unnest($9::text[]), unnest($10::text[]), unnest($11::text[]), unnest($12::smallint[]), unnest($13::smallint[]),
            unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::bigint[]), unnest($17::bigint[]), unnest($18::bigint[]), unnest($19::bigint[]),
            unnest($20::timestamptz[]), unnest($21::integer[]), unnest($22::integer[]), unnest($23::bigint[])
        """;

    /// <summary>Looks for each row before it writes it, and writes into the log that it did: half as much work again.</summary>
    private const string InsertMissing = $"{Insert}\nON CONFLICT (tenant, attempt) DO NOTHING";

    private const string Sum = """
        SELECT CASE $4 WHEN 0 THEN u.provider || '/' || u.model WHEN 1 THEN u.agent WHEN 2 THEN u.goal::text WHEN 3 THEN u.api_key::text
                ELSE to_char(u.at AT TIME ZONE 'UTC', 'YYYY-MM-DD') END AS of,
            sum(u.calls)::bigint, sum(u.input_tokens)::bigint, sum(u.cached_tokens)::bigint, sum(u.cache_write_tokens)::bigint, sum(u.output_tokens)::bigint,
            sum(u.reasoning_tokens)::bigint, COALESCE(sum(u.cost_nanos), 0)::bigint AS cost, COALESCE(sum(u.calls) FILTER (WHERE u.cost_nanos IS NULL), 0)::bigint
        FROM model_usage AS u
        WHERE u.tenant = $1 AND u.at >= $2 AND u.at < $3
        GROUP BY 1
        ORDER BY CASE WHEN $4 = 4 THEN 1 END, CASE WHEN $4 = 4 THEN to_char(min(u.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END, cost DESC, 1
        LIMIT $5
        """;

    private const string OfRequest = """
        SELECT u.attempt, u.at, u.goal, u.task, u.agent, u.api_key, u.provider, u.model, u.operation, u.outcome, u.source,
            u.input_tokens, u.cached_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, u.cost_nanos, u.price_valid_from, u.duration_ms, u.first_token_ms, u.calls
        FROM model_usage AS u
        WHERE u.tenant = $1 AND u.request = $2
        ORDER BY u.at, u.attempt
        """;

    private readonly Database _database;

    internal PostgresUsage(Database database) => _database = database;

    public async ValueTask WriteAsync(IReadOnlyList<UsageRecord> records, CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync([.. records], Insert, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            // Rare: some are there already, because the answer was lost or a crash came between the file and the table.
            await WriteAsync([.. records.DistinctBy(record => (record.Spender.Tenant, record.Attempt))], InsertMissing, cancellationToken);
        }
    }

    private async ValueTask WriteAsync(UsageRecord[] rows, string sql, CancellationToken cancellationToken)
    {
        await using var command = _database.Journal.CreateCommand(sql);
        command.Parameters
            .Column(Array.ConvertAll(rows, row => row.Spender.Tenant.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.Attempt), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.Request), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.At.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Array.ConvertAll(rows, row => row.Spender.Goal?.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => row.Spender.Task?.Value), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => Storable(row.Spender.Agent)), NpgsqlDbType.Text)
            .Column(Array.ConvertAll(rows, row => row.Spender.Key), NpgsqlDbType.Uuid)
            .Column(Array.ConvertAll(rows, row => Storable(row.Provider)), NpgsqlDbType.Text)
            .Column(Array.ConvertAll(rows, row => Storable(row.Model)), NpgsqlDbType.Text)
            .Column(Array.ConvertAll(rows, row => Storable(row.Operation)), NpgsqlDbType.Text)
            .Column(Array.ConvertAll(rows, row => (short)row.Outcome), NpgsqlDbType.Smallint)
            .Column(Array.ConvertAll(rows, row => (short)row.Source), NpgsqlDbType.Smallint)
            .Column(Array.ConvertAll(rows, row => row.Usage.Input), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Usage.CachedInput), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Usage.CacheWrite), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Usage.Output), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Usage.Reasoning), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.Cost?.Value), NpgsqlDbType.Bigint)
            .Column(Array.ConvertAll(rows, row => row.PriceValidFrom?.ToUniversalTime()), NpgsqlDbType.TimestampTz)
            .Column(Array.ConvertAll(rows, row => Milliseconds(row.Duration)), NpgsqlDbType.Integer)
            .Column(Array.ConvertAll(rows, row => row.TimeToFirstToken is { } first ? Milliseconds(first) : (int?)null), NpgsqlDbType.Integer)
            .Column(Array.ConvertAll(rows, row => row.Calls), NpgsqlDbType.Bigint);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public async ValueTask<IReadOnlyList<UsageSum>> SumAsync(
        TenantId tenant, UsageGrouping by, DateTimeOffset from, DateTimeOffset to, int countMax, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, Sum, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Timestamp(from).Timestamp(to).Integer((int)by).Integer(countMax);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var sums = new List<UsageSum>();
        while (await reader.ReadAsync(cancellationToken))
        {
            sums.Add(new UsageSum(
                reader.OptionalText(0) ?? "", reader.GetInt64(1),
                new TokenUsage(reader.GetInt64(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetInt64(5), reader.GetInt64(6)),
                new Nanodollars(reader.GetInt64(7)), reader.GetInt64(8)));
        }
        return sums;
    }

    public async ValueTask<IReadOnlyList<UsageRecord>> OfRequestAsync(TenantId tenant, Guid request, CancellationToken cancellationToken)
    {
        await using var query = await TenantQuery.OpenByKeyAsync(_database, tenant, OfRequest, cancellationToken);
        query.Parameters.Uuid(tenant.Value).Uuid(request);
        await using var reader = await query.ExecuteAsync(cancellationToken);
        var records = new List<UsageRecord>();
        while (await reader.ReadAsync(cancellationToken))
        {
            Guid? IdAt(int column) => reader.IsDBNull(column) ? null : reader.GetGuid(column);
            records.Add(new UsageRecord(
                reader.GetGuid(0), request, reader.GetFieldValue<DateTimeOffset>(1),
                new Spender(tenant, reader.OptionalText(4), IdAt(2) is { } goal ? new GoalId(goal) : null, IdAt(3) is { } task ? new TaskId(task) : null, IdAt(5)),
                reader.GetString(6), reader.GetString(7), (AttemptOutcome)reader.GetInt16(9),
                new TokenUsage(reader.GetInt64(11), reader.GetInt64(12), reader.GetInt64(13), reader.GetInt64(14), reader.GetInt64(15)), (UsageSource)reader.GetInt16(10),
                reader.OptionalBigint(16) is { } cost ? new Nanodollars(cost) : null, reader.OptionalTime(17), TimeSpan.FromMilliseconds(reader.GetInt32(18)),
                reader.OptionalInteger(19) is { } first ? TimeSpan.FromMilliseconds(first) : null, reader.GetString(8), reader.GetInt64(20)));
        }
        return records;
    }

    private static int Milliseconds(TimeSpan time) => (int)Math.Clamp(time.TotalMilliseconds, 0, int.MaxValue);

    /// <summary>A name that the database cannot hold comes from a client; its call was paid all the same, and one such record must
    /// not keep the others out.</summary>
    private static string? Storable(string? text) => Projection.StorableText.IsStorable(text) ? text
        : string.Concat(text!.EnumerateRunes().Where(rune => rune.Value != 0).Select(rune => rune.ToString()));
}
