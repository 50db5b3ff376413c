using Astra.Llm.Money;
using Astra.Sdk;

namespace Astra.Gateway;

/// <summary>What hooks are sent when a threshold of a budget is reached.</summary>
public static class BudgetMessages
{
    public static (string Kind, ReadOnlyMemory<byte> Body) Of(BudgetAlert alert, DateTimeOffset now)
    {
        var key = alert.Period.Budget;
        var data = new BudgetThresholdData(
            BudgetEndpoints.ToWire(key.Level), key.Of.Length == 0 ? null : key.Of, BudgetEndpoints.ToWire(key.Window), alert.Percent, alert.Cap.Value, alert.Spent.Value,
            alert.Period.BeginsAt, alert.Period.EndsAt);
        return (HookKinds.BudgetThreshold, AstraJson.Write(new FailureEventView(HookKinds.BudgetThreshold, now, AstraJson.ToElement(data))));
    }
}
