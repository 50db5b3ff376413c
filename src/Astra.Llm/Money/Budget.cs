using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>One cap: of the platform, of a tenant, or of what the tenant calls by that name.</summary>
/// <param name="Tenant">Zero for the platform, so that a tenant is in every key.</param>
/// <param name="Of">The agent's name, or the id of the goal, the task or the API key; empty for the platform and a tenant.</param>
public readonly record struct BudgetKey(TenantId Tenant, BudgetLevel Level, string Of, BudgetWindow Window)
{
    public static readonly TenantId Platform = new(Guid.Empty);

    public override string ToString() => Describe(Level, Of, Window);

    public static string Describe(BudgetLevel level, string of, BudgetWindow window) => (level switch
    {
        BudgetLevel.Platform => "the budget of the platform",
        BudgetLevel.Tenant => "the budget of the tenant",
        BudgetLevel.Key => $"the budget of API key {of}",
        _ => $"the budget of {level.ToString().ToLowerInvariant()} {of}",
    }) + window switch { BudgetWindow.Day => " for a day", BudgetWindow.Month => " for a month", _ => "" };
}

/// <summary>The day, the month or the whole time that a call falls into. What is spent in one is nothing in the next.</summary>
public readonly record struct PeriodKey(BudgetKey Budget, DateOnly StartsOn)
{
    private static readonly DateOnly Always = new(1970, 1, 1);

    public static PeriodKey At(BudgetKey budget, DateTimeOffset now)
    {
        var today = DateOnly.FromDateTime(now.UtcDateTime);
        return new PeriodKey(budget, budget.Window switch
        {
            BudgetWindow.Day => today,
            BudgetWindow.Month => new DateOnly(today.Year, today.Month, 1),
            _ => Always,
        });
    }

    public DateTimeOffset BeginsAt => new(StartsOn.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);

    public DateTimeOffset? EndsAt => Budget.Window switch
    {
        BudgetWindow.Day => BeginsAt.AddDays(1),
        BudgetWindow.Month => BeginsAt.AddMonths(1),
        _ => null,
    };

    /// <summary>As lists show them: the widest first.</summary>
    public static IComparer<PeriodKey> Order { get; } = Comparer<PeriodKey>.Create(static (one, other) =>
    {
        var order = one.Budget.Tenant.Value.CompareTo(other.Budget.Tenant.Value);
        if (order == 0)
            order = one.Budget.Level.CompareTo(other.Budget.Level);
        if (order == 0)
            order = string.CompareOrdinal(one.Budget.Of, other.Budget.Of);
        if (order == 0)
            order = one.Budget.Window.CompareTo(other.Budget.Window);
        return order != 0 ? order : one.StartsOn.CompareTo(other.StartsOn);
    });
}

/// <summary>From so much of a budget on, calls go to a cheaper tier.</summary>
public sealed record Degradation(int AtPercent, string ToTier);

/// <param name="Cap">Null when the budget was removed.</param>
public sealed record Budget(BudgetKey Key, Nanodollars? Cap, Degradation? Degrade, string SetBy, DateTimeOffset SetAt);

/// <summary>A budget and where it stands in the period that runs.</summary>
/// <param name="Held">What living nodes hold of it: for calls under way, and at hand for the next ones.</param>
/// <param name="Lost">What nodes held that are gone. It may have been spent, so it counts as spent.</param>
public sealed record BudgetStanding(Budget Budget, PeriodKey Period, Nanodollars Spent, Nanodollars Held, Nanodollars Lost)
{
    public Nanodollars Left => Nanodollars.Max(Nanodollars.Zero, (Budget.Cap ?? Nanodollars.Zero) - Spent - Held - Lost);
}

/// <summary>A budget of which so much is spent now that somebody ought to know.</summary>
/// <param name="Percent">The highest of the thresholds that was reached: 50, 80 or 100.</param>
public sealed record BudgetAlert(PeriodKey Period, Nanodollars Cap, Nanodollars Spent, int Percent)
{
    public static readonly IReadOnlyList<int> Thresholds = [50, 80, 100];

    /// <summary>0 below the first.</summary>
    public static int ThresholdOf(long spent, long cap)
    {
        var percent = cap <= 0 ? 100 : (long)Int128.Min((Int128)spent * 100 / cap, 100);
        return Thresholds.LastOrDefault(threshold => percent >= threshold);
    }
}
