namespace Astra.Sdk;

// Budgets, usage, prices and secrets.
public sealed partial class AstraClient
{
    public Task<IReadOnlyList<BudgetView>> ListBudgetsAsync(bool ofPlatform = false, CancellationToken cancellationToken = default) =>
        GetAsync<IReadOnlyList<BudgetView>>(ofPlatform ? "platform/budgets" : "budgets", cancellationToken);

    public Task<BudgetView> SetBudgetAsync(BudgetRequest budget, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<BudgetView>(HttpMethod.Put, IsOperators(budget) ? "platform/budgets" : "budgets", budget, cancellationToken);

    public async Task RemoveBudgetAsync(BudgetLevel level, string? of, BudgetWindow window, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(
            HttpMethod.Delete, level == BudgetLevel.Platform ? $"platform/budgets?window={Word(window)}"
                : $"budgets?level={Word(level)}&window={Word(window)}{(of is null ? "" : $"&of={Uri.EscapeDataString(of)}")}",
            null, cancellationToken)).Dispose();

    public Task<BudgetForgiven> ForgiveBudgetAsync(BudgetForgiveRequest request, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<BudgetForgiven>(HttpMethod.Post, request.Level == BudgetLevel.Platform ? "platform/budgets/forgive" : "budgets/forgive", request, cancellationToken);

    public Task<UsageView> GetUsageAsync(
        UsageGrouping by = UsageGrouping.Model, DateTimeOffset? from = null, DateTimeOffset? to = null, int limit = 50, CancellationToken cancellationToken = default) =>
        GetAsync<UsageView>($"usage?by={Word(by)}&limit={limit}{Moment("from", from)}{Moment("to", to)}", cancellationToken);

    public Task<RequestUsageView> GetRequestUsageAsync(Guid request, CancellationToken cancellationToken = default) =>
        GetAsync<RequestUsageView>($"usage/requests/{request}", cancellationToken);

    public Task<IReadOnlyList<PriceView>> ListPricesAsync(CancellationToken cancellationToken = default) => GetAsync<IReadOnlyList<PriceView>>("prices", cancellationToken);

    public Task<PriceView> SetPriceAsync(PriceView price, CancellationToken cancellationToken = default) =>
        _requests.SendAsync<PriceView>(HttpMethod.Post, "prices", price, cancellationToken);

    public Task<IReadOnlyList<SecretView>> ListSecretsAsync(CancellationToken cancellationToken = default) => GetAsync<IReadOnlyList<SecretView>>("secrets", cancellationToken);

    public async Task SetSecretAsync(string name, string value, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Put, $"secrets/{Uri.EscapeDataString(name)}", ServerRequests.ToContent(new SecretRequest(value)), cancellationToken)).Dispose();

    public async Task RemoveSecretAsync(string name, CancellationToken cancellationToken = default) =>
        (await _requests.SendAsync(HttpMethod.Delete, $"secrets/{Uri.EscapeDataString(name)}", null, cancellationToken)).Dispose();

    private static bool IsOperators(BudgetRequest budget) => budget.Level == BudgetLevel.Platform || budget.Tenant is not null;

    private static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Moment(string name, DateTimeOffset? at) => at is { } moment ? $"&{name}={Uri.EscapeDataString(moment.ToUniversalTime().ToString("O"))}" : "";
}
