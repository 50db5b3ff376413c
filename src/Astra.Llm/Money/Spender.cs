using Astra.Kernel;

namespace Astra.Llm.Money;

/// <summary>Whose money a call spends: every level that is named may have a budget, and all of them must agree.</summary>
/// <param name="Key">The API key that the call came with.</param>
public sealed record Spender(TenantId Tenant, string? Agent = null, GoalId? Goal = null, TaskId? Task = null, Guid? Key = null);

/// <summary>Who may have a budget. In this order they are reserved from.</summary>
public enum BudgetLevel : byte
{
    Platform = 1,
    Tenant = 2,
    Agent = 3,
    Goal = 4,
    Task = 5,
    Key = 6,
}

/// <summary>What a cap is for. Days and months are those of UTC.</summary>
public enum BudgetWindow : byte
{
    Day = 1,
    Month = 2,
    Total = 3,
}
