using Astra.Sdk;

namespace Astra.Tests.CommandLine;

// Budgets, usage, prices and secrets.
public sealed partial class FakeServer
{
    private readonly List<BudgetView> _budgets = [];

    public Task<IReadOnlyList<BudgetView>> ListBudgetsAsync(bool ofPlatform = false, CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<BudgetView>>([.. _budgets.Where(budget => budget.Level == BudgetLevel.Platform == ofPlatform)]);

    public Task<BudgetView> SetBudgetAsync(BudgetRequest budget, CancellationToken cancellationToken = default)
    {
        var view = new BudgetView
        {
            Level = budget.Level, Of = budget.Of, Window = budget.Window, CapNanos = budget.CapNanos, SpentNanos = budget.CapNanos / 4, HeldNanos = 0, LostNanos = 0,
            LeftNanos = budget.CapNanos - budget.CapNanos / 4, StartsAt = DateTimeOffset.UnixEpoch, SetBy = "key:admin", SetAt = DateTimeOffset.UnixEpoch,
            DegradeAtPercent = budget.DegradeAtPercent, DegradeTo = budget.DegradeTo,
        };
        _budgets.Add(view);
        return Called($"budget {budget.Level} {budget.Of} {budget.Window} {budget.CapNanos} {budget.Tenant}", view);
    }

    public Task RemoveBudgetAsync(BudgetLevel level, string? of, BudgetWindow window, CancellationToken cancellationToken = default) => Called($"remove budget {level} {of} {window}", true);

    public Task<BudgetForgiven> ForgiveBudgetAsync(BudgetForgiveRequest request, CancellationToken cancellationToken = default) =>
        Called($"forgive {request.Level} {request.Of} {request.Window}", new BudgetForgiven(1_500_000_000));

    public Task<UsageView> GetUsageAsync(
        UsageGrouping by = UsageGrouping.Model, DateTimeOffset? from = null, DateTimeOffset? to = null, int limit = 50, CancellationToken cancellationToken = default) =>
        Called($"usage {by} {limit}", new UsageView(by, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1), [new UsageSumView("openai/gpt-x", 2, 1_200, 0, 0, 34, 0, 45_000, 1)]));

    public Task<RequestUsageView> GetRequestUsageAsync(Guid request, CancellationToken cancellationToken = default) => Called(
        $"usage of {request}",
        new RequestUsageView(request, 45_000, [new(DateTimeOffset.UnixEpoch, "openai/gpt-x", AttemptEnd.Cut, true, 1_200, 0, 0, 34, 0, 45_000, 12), new(DateTimeOffset.UnixEpoch, "box/m", AttemptEnd.Completed, false, 7, 0, 0, 1, 0, null, 3)]));

    public Task<IReadOnlyList<PriceView>> ListPricesAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<PriceView>>(
        [new PriceView("*", "gpt-x", DateTimeOffset.UnixEpoch, new RatesView(1_250_000_000, 125_000_000, 1_250_000_000, 10_000_000_000, 10_000_000_000), IsBuiltIn: true)]);

    public Task<PriceView> SetPriceAsync(PriceView price, CancellationToken cancellationToken = default) => Called($"price {price.Provider}/{price.Model} {price.Rates} {price.Large}", price);

    public Task<IReadOnlyList<SecretView>> ListSecretsAsync(CancellationToken cancellationToken = default) => Task.FromResult<IReadOnlyList<SecretView>>(
        [new SecretView("openai-key", "0123abcd", "key:admin", DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch)]);

    public Task SetSecretAsync(string name, string value, CancellationToken cancellationToken = default) => Called($"secret {name} {value}", true);

    public Task RemoveSecretAsync(string name, CancellationToken cancellationToken = default) => Called($"remove secret {name}", true);
}
