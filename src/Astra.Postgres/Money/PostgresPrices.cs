using Astra.Llm.Money;
using Npgsql;

namespace Astra.Postgres.Money;

/// <summary>What models cost. Rows are added and never changed; one more row of a price says what large inputs cost.</summary>
public sealed class PostgresPrices : IPriceStore
{
    private const string Add = """
        INSERT INTO model_prices (provider, model, valid_from, above_tokens, input_nanos, cached_nanos, cache_write_nanos, output_nanos, reasoning_nanos, set_by, set_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT DO NOTHING
        RETURNING above_tokens
        """;

    private const string List = """
        SELECT p.provider, p.model, p.valid_from, p.above_tokens, p.input_nanos, p.cached_nanos, p.cache_write_nanos, p.output_nanos, p.reasoning_nanos
        FROM model_prices AS p
        ORDER BY p.provider, p.model, p.valid_from, p.above_tokens
        """;

    private readonly Database _database;

    internal PostgresPrices(Database database) => _database = database;

    public async ValueTask<bool> AddAsync(ModelPrice price, string setBy, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var connection = await _database.App.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        foreach (var (above, rates) in Rows(price))
        {
            await using var command = new NpgsqlCommand(Add, connection, transaction);
            command.Parameters.Text(price.Provider).Text(price.Model).Timestamp(price.ValidFrom).Bigint(above)
                .Bigint(rates.Input.Value).Bigint(rates.CachedInput.Value).Bigint(rates.CacheWrite.Value).Bigint(rates.Output.Value).Bigint(rates.Reasoning.Value)
                .Text(setBy).Timestamp(now);
            if (await command.ExecuteScalarAsync(cancellationToken) is null)
                return false;
        }
        await using (var raise = new NpgsqlCommand(BudgetSql.RaiseVersion, connection, transaction))
            await raise.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    public async ValueTask<IReadOnlyList<ModelPrice>> ListAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.App.CreateCommand(List);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var prices = new List<ModelPrice>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var rates = new PerMillionTokens(Amount(4), Amount(5), Amount(6), Amount(7), Amount(8));
            if (reader.GetInt64(3) is var above and > 0 && prices.Count > 0)
                prices[^1] = prices[^1] with { LargeInput = new LargeInputPrice(above, rates) };
            else
                prices.Add(new ModelPrice(reader.GetString(0), reader.GetString(1), reader.GetFieldValue<DateTimeOffset>(2), rates));

            Nanodollars Amount(int column) => new(reader.GetInt64(column));
        }
        return prices;
    }

    public async ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken)
    {
        await using var command = _database.App.CreateCommand(BudgetSql.ReadVersion);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static IEnumerable<(long Above, PerMillionTokens Rates)> Rows(ModelPrice price)
    {
        yield return (0, price.Rates);
        if (price.LargeInput is { } large)
            yield return (large.AboveInputTokens, large.Rates);
    }
}
