using Astra.Gateway;
using Astra.Governance;
using Astra.Llm.Money;
using Astra.Postgres;

namespace Astra.Hosting;

/// <summary>Budgets, prices, usage and secrets of this server. What is at hand goes back and what waits is written when it ends.</summary>
public sealed class MoneyHost : IAsyncDisposable
{
    public const string SpoolFileName = "usage.spool";

    private readonly SecretKeys _keys;
    private readonly PostgresStore _store;

    private MoneyHost(PostgresStore store, SecretKeys keys, PriceBook prices, string node, string dataDirectory, Func<string, bool> isRemote, Action<string> say)
    {
        (_store, _keys, Prices) = (store, keys, prices);
        Ledger = new BudgetLedger(store.Budgets, TimeProvider.System, new LedgerOptions { Node = node }, say) 
        {
            OnChange = ReloadAsync,
            OnRefused = _ => Metrics.CountRefusal(),
        };
        Usage = new UsageWriter(store.Usage, new UsageSpool(Path.Combine(dataDirectory, SpoolFileName)), TimeProvider.System, say: say) { OnRecord = Metrics.Count };
        Secrets = new SecretVault(store.Secrets, keys, TimeProvider.System);
        Parts = new MoneyParts
        {
            Budgets = store.Budgets, Ledger = Ledger, Prices = store.Prices, PriceBook = prices, ReloadPrices = ReloadAsync, IsRemote = isRemote,
            Usage = store.Usage, Secrets = Secrets, Metrics = Metrics,
        };
    }

    public BudgetLedger Ledger { get; }
    public UsageWriter Usage { get; }
    public PriceBook Prices { get; }
    public SecretVault Secrets { get; }
    public MoneyMetrics Metrics { get; } = new();
    public MoneyParts Parts { get; }

    /// <param name="isRemote">Whether a provider is somebody else's machine.</param>
    /// <param name="wakeCourier">Told when there is a message for hooks.</param>
    /// <exception cref="SecretKeyException">The key of the secrets cannot be trusted; the message says what to do.</exception>
    public static async ValueTask<MoneyHost> OpenAsync(
        PostgresStore store, string node, string dataDirectory, string? credentialsDirectory, Func<string, bool> isRemote, Action wakeCourier, Action<string> say,
        CancellationToken cancellationToken)
    {
        var prices = new PriceBook(BuiltInPrices.All, isRemote);
        prices.Load(await store.Prices.ListAsync(cancellationToken));
        store.Budgets.ComposeAlert = alert => BudgetMessages.Of(alert, TimeProvider.System.GetUtcNow());
        var host = new MoneyHost(store, SecretKeys.Open(dataDirectory, credentialsDirectory), prices, node, dataDirectory, isRemote, say);
        host.Ledger.OnAlert = alert =>
        {
            host.Metrics.Count(alert);
            say($"{alert.Percent} % of {alert.Period.Budget} are spent: {alert.Spent} of {alert.Cap}");
            wakeCourier();
        };
        return host;
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await Usage.DisposeAsync();
        Metrics.Dispose();
        _keys.Dispose();
    }

    private async Task ReloadAsync(CancellationToken cancellationToken) => Prices.Load(await _store.Prices.ListAsync(cancellationToken));
}
