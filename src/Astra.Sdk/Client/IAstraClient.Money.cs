namespace Astra.Sdk;

// Budgets, usage, prices and secrets.
public partial interface IAstraClient
{
    /// <param name="ofPlatform">Those of the whole platform, for whoever runs the server.</param>
    Task<IReadOnlyList<BudgetView>> ListBudgetsAsync(bool ofPlatform = false, CancellationToken cancellationToken = default);
    Task<BudgetView> SetBudgetAsync(BudgetRequest budget, CancellationToken cancellationToken = default);
    Task RemoveBudgetAsync(BudgetLevel level, string? of, BudgetWindow window, CancellationToken cancellationToken = default);

    /// <summary>Says that what dead servers held of a budget was not spent.</summary>
    Task<BudgetForgiven> ForgiveBudgetAsync(BudgetForgiveRequest request, CancellationToken cancellationToken = default);

    /// <param name="from">The beginning of this month when null.</param>
    Task<UsageView> GetUsageAsync(UsageGrouping by = UsageGrouping.Model, DateTimeOffset? from = null, DateTimeOffset? to = null, int limit = 50, CancellationToken cancellationToken = default);

    /// <summary>What one request came to, by the id that its answer had.</summary>
    Task<RequestUsageView> GetRequestUsageAsync(Guid request, CancellationToken cancellationToken = default);

    Task<IReadOnlyList<PriceView>> ListPricesAsync(CancellationToken cancellationToken = default);
    Task<PriceView> SetPriceAsync(PriceView price, CancellationToken cancellationToken = default);

    /// <summary>Their names. There is no way to read a value back.</summary>
    Task<IReadOnlyList<SecretView>> ListSecretsAsync(CancellationToken cancellationToken = default);
    Task SetSecretAsync(string name, string value, CancellationToken cancellationToken = default);
    Task RemoveSecretAsync(string name, CancellationToken cancellationToken = default);
}
