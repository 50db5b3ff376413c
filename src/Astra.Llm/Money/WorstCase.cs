namespace Astra.Llm.Money;

/// <summary>What of a request decides how much it can cost at most.</summary>
/// <param name="InputBytes">Of the body as it is sent. Every token of a text is at least one byte of it.</param>
/// <param name="OutputTokens">What the client asked for at most; null when it set no bound.</param>
/// <param name="OutputTokensMax">What the model answers at most.</param>
/// <param name="AnswerCount">How many answers were asked for.</param>
/// <param name="HiddenTokens">Input that the bytes do not show: pictures named by their address, what the provider keeps of a
/// conversation. None in a request that says everything itself.</param>
public readonly record struct RequestSize(long InputBytes, long? OutputTokens, long OutputTokensMax, int AnswerCount = 1, long HiddenTokens = 0)
{
    private const long TokensMax = 1L << 40;

    public long InputTokensMax => Math.Clamp(InputBytes, 0, TokensMax) + Math.Clamp(HiddenTokens, 0, TokensMax);

    internal long AllOutput(long each) => Math.Clamp(each, 0, TokensMax) * Math.Max(1, AnswerCount);
}

/// <summary>The most that a call can cost, and how long its answer may be: `MaxTokens` is put into the request when the client
/// set no bound.</summary>
public readonly record struct BoundedCall(long MaxTokens, Nanodollars WorstCase);

/// <summary>
/// Bounds what a call can cost before it is made: bytes stand for input tokens, since there is no tokenizer here and an estimate
/// can be too low, and the answer is bounded by `max_tokens`, which is taken from the money left when the client set none.
/// </summary>
public static class CallBounds
{
    /// <summary>An answer that is cut shorter than this helps nobody: rather than that, the call is refused.</summary>
    public const long MaxTokensMin = 256;

    public static Nanodollars WorstCaseOf(ModelPrice price, RequestSize size, long maxTokens) =>
        price.WorstCaseOf(size.InputTokensMax, size.AllOutput(maxTokens));

    /// <param name="left">What is left at the tightest level; null where there is no cap.</param>
    /// <returns>The bound that fits, or null when not even the shortest useful answer does. What a client asked for is never made
    /// less: it fits or it does not.</returns>
    public static BoundedCall? Bound(ModelPrice price, RequestSize size, Nanodollars? left)
    {
        var wanted = Math.Max(0, size.OutputTokens ?? size.OutputTokensMax);
        var worst = WorstCaseOf(price, size, wanted);
        if (left is not { } money || worst <= money)
            return new BoundedCall(wanted, worst);
        if (size.OutputTokens is not null)
            return null;
        var least = Math.Min(MaxTokensMin, size.OutputTokensMax);
        if (WorstCaseOf(price, size, least) > money)
            return null;
        // The bound grows with the tokens, so the most that fits is found by halving.
        var (fits, tooMuch) = (least, wanted);
        while (tooMuch - fits > 1)
        {
            var middle = fits + (tooMuch - fits) / 2;
            if (WorstCaseOf(price, size, middle) <= money)
                fits = middle;
            else
                tooMuch = middle;
        }
        return new BoundedCall(fits, WorstCaseOf(price, size, fits));
    }

    /// <summary>Reserves for a call, with as long an answer as its client asked for, or else as there is money for. The caps
    /// themselves say how much that is, when they refuse the whole.</summary>
    /// <param name="whole">What it is bounded to already.</param>
    public static async ValueTask<(ReserveOutcome Outcome, BoundedCall Call)> ReserveAsync(
        IBudgets budgets, Spender spender, ModelPrice price, RequestSize size, BoundedCall whole, CancellationToken cancellationToken)
    {
        var outcome = await budgets.ReserveAsync(spender, whole.WorstCase, cancellationToken);
        // Others spend meanwhile, so what was left may no longer be. Three times is enough for all but a stampede.
        for (var attempt = 0; attempt < 3 && outcome.Refusal is { Reason: BudgetRefusalReason.Exceeded } refusal; attempt++)
        {
            if (Bound(price, size, refusal.Left) is not { } smaller || smaller.WorstCase >= whole.WorstCase)
                return (outcome, whole);
            whole = smaller;
            outcome = await budgets.ReserveAsync(spender, smaller.WorstCase, cancellationToken);
        }
        return (outcome, whole);
    }
}
