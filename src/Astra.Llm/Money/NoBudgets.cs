namespace Astra.Llm.Money;

/// <summary>No budget is configured anywhere: everything is admitted, and nothing is counted.</summary>
public sealed class NoBudgets : IBudgets
{
    public static readonly NoBudgets Instance = new();

    private NoBudgets()
    {
    }

    public ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult(false);

    public ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken) => ValueTask.FromResult<Nanodollars?>(null);

    public ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken) =>
        ValueTask.FromResult<ReserveOutcome>(new Unlimited(worstCase));

    private sealed class Unlimited(Nanodollars worstCase) : Reservation(worstCase)
    {
        protected override ValueTask EndAsync(Nanodollars actual) => ValueTask.CompletedTask;
    }
}
