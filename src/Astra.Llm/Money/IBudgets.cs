namespace Astra.Llm.Money;

/// <summary>
/// Admits a call only when its worst case fits under every cap there is for its spender. A reservation holds the worst case at
/// every level, or at none; who is refused has changed nothing.
/// </summary>
public interface IBudgets
{
    /// <summary>
    /// Whether anything here could refuse a call of this spender, or degrade it. Where it is false the router neither bounds
    /// the answer (`max_tokens`) nor asks for a price. Never answered from a look that is older than it may be: a budget that
    /// another node has just set is one.
    /// </summary>
    ValueTask<bool> MayRefuseAsync(Spender spender, CancellationToken cancellationToken);

    /// <summary>What is left at the tightest level; null where there is no cap. For whoever plans, and no promise.</summary>
    ValueTask<Nanodollars?> LeftAsync(Spender spender, CancellationToken cancellationToken);

    /// <summary>The tier that calls of this spender are to go to from now on, because a budget of theirs is used up so far that
    /// its policy says so; null where nothing does.</summary>
    string? DegradedTier(Spender spender) => null;

    /// <summary>One for every attempt, retries and hedges too.</summary>
    ValueTask<ReserveOutcome> ReserveAsync(Spender spender, Nanodollars worstCase, CancellationToken cancellationToken);
}

/// <summary>Either a reservation, or the reason why there is none.</summary>
public readonly record struct ReserveOutcome(Reservation? Reservation, BudgetRefusal? Refusal)
{
    public static implicit operator ReserveOutcome(Reservation reservation) => new(reservation, null);
    public static implicit operator ReserveOutcome(BudgetRefusal refusal) => new(null, refusal);
}

/// <summary>Why a call is not admitted.</summary>
public enum BudgetRefusalReason
{
    /// <summary>A cap has no room for the worst case: 429 with <see cref="BudgetRefusal.Type"/> and <see cref="BudgetRefusal.Code"/>,
    /// `x-should-retry: false`.</summary>
    Exceeded,

    /// <summary>The budgets cannot be read at the moment, and nothing is spent that nobody could count: 503, with a retry.</summary>
    Unavailable,
}

/// <summary>Which cap had no room for the worst case of a call.</summary>
/// <param name="Of">Whose budget: the agent's name, the goal's id …; empty for the platform.</param>
/// <param name="Left">What was left under the cap when it was asked.</param>
/// <param name="ResetsAt">When the window begins anew; null when it never does.</param>
public sealed record BudgetRefusal(
    BudgetLevel Level, string Of, BudgetWindow Window, Nanodollars Cap, Nanodollars Left, Nanodollars Asked, DateTimeOffset? ResetsAt = null,
    BudgetRefusalReason Reason = BudgetRefusalReason.Exceeded)
{
    /// <summary>The words that the clients of OpenAI know.</summary>
    public const string Type = "insufficient_quota";
    public const string Code = "budget_exceeded";

    public string Sentence => Reason == BudgetRefusalReason.Unavailable
        ? "The budgets cannot be read at the moment, and no call is made that nobody could count; try again."
        : $"This call may cost up to {Asked}, and of {BudgetKey.Describe(Level, Of, Window)}, which is {Cap}, there is {Left} left"
            + (ResetsAt is { } at ? $" until {at:yyyy-MM-dd HH:mm} UTC" : "") + "; raise it with `astra budget set`, or ask for fewer tokens.";

    public static BudgetRefusal Unavailable { get; } = new(
        BudgetLevel.Platform, "", BudgetWindow.Total, Nanodollars.Zero, Nanodollars.Zero, Nanodollars.Zero, Reason: BudgetRefusalReason.Unavailable);
}

/// <summary>
/// Money that is held for one attempt, at every level. It ends exactly once: settled at what the attempt came to, or disposed.
/// A disposed one comes to nothing if nothing was sent, and to the worst case if something was: nobody knows how much of it
/// the provider did.
/// </summary>
public abstract class Reservation : IAsyncDisposable
{
    private const int IsOpen = 0;
    private const int IsSent = 1;
    private const int IsEnded = 2;

    private int _state;

    protected Reservation(Nanodollars worstCase) => WorstCase = worstCase;

    public Nanodollars WorstCase { get; }

    /// <summary>Before the first byte goes to the provider: from here on it may cost money.</summary>
    public void Sent() => Interlocked.CompareExchange(ref _state, IsSent, IsOpen);

    /// <summary>
    /// Ends the reservation. More than the worst case is recorded in full. Only the first end counts; that a second one comes is a
    /// mistake of the caller's, unless it is the disposal.
    /// </summary>
    /// <exception cref="InvalidOperationException">It had ended.</exception>
    public ValueTask SettleAsync(Nanodollars actual) => Interlocked.Exchange(ref _state, IsEnded) == IsEnded
        ? throw new InvalidOperationException("A reservation is settled once; this one had ended.")
        : EndAsync(actual);

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Interlocked.Exchange(ref _state, IsEnded) switch
        {
            IsOpen => EndAsync(Nanodollars.Zero),
            IsSent => EndAsync(WorstCase),
            _ => ValueTask.CompletedTask,
        };
    }

    /// <summary>Called once. It must not fail: an implementation that cannot reach its store keeps the money held and says so.</summary>
    protected abstract ValueTask EndAsync(Nanodollars actual);
}
