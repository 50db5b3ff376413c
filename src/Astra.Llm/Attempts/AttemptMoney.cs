using Astra.Llm.Money;
using Astra.Llm.Routing;
using Astra.Llm.Wire;

namespace Astra.Llm.Attempts;

/// <summary>What one attempt may cost at most, is held for it, and came to. Every attempt ends here exactly once, however it ended.</summary>
internal sealed class AttemptMoney(RouterParts parts, ModelCall call, RequestScan scan, Target target)
{
    // A byte is at least one token of any byte-level vocabulary's, so bytes bound the text of a request. What a request only
    // points to is bounded by this for each: no provider reads a picture or a page as more.
    private const int PointedTokensMax = 16_384;

    // The roles and separators around the messages are tokens that no byte stands for.
    private const int FramingTokensMax = 1_024;

    // What a token comes to in bytes when nobody counted it, and what a chunk of a stream has around its text.
    private const int BytesPerToken = 4;
    private const int ChunkBytesAround = 250;

    private readonly DateTimeOffset _at = parts.Clock.GetUtcNow();
    private readonly ModelPrice? _price = parts.Prices.Find(target.Provider.Config.Name, target.Model.Id, parts.Clock.GetUtcNow());
    private Reservation? _reservation;
    private Nanodollars _allowed;
    private bool _isEnded;

    public Guid Attempt { get; } = Guid.CreateVersion7();

    /// <summary>The bound for the answer that the budget makes necessary; null where the client's own or none will do.</summary>
    public long? OutputTokensInjected { get; private set; }

    /// <summary>Null when the attempt may begin.</summary>
    public async ValueTask<ModelRefusal?> ReserveAsync(CancellationToken cancellationToken)
    {
        var isBudgeted = parts.Budgets.MayRefuse(call.Spender);
        if (call.Operation == Operation.CountTokens || !isBudgeted && call.Allowance is null)
            return null;
        if (!isBudgeted && call.Allowance!.Cap is null)
        {
            // Only where it says less than the model itself: a bound above that is refused by some.
            if (scan.OutputTokensMax is null && call.Allowance.OutputTokensMax < target.Model.OutputTokensMax)
                OutputTokensInjected = call.Allowance.OutputTokensMax;
            return null;
        }
        if (_price is null)
            return ModelRefusal.NoPrice(target.Name);
        var inputMax = InputTokensMax(call.Body.Span);
        var outputMax = call.Operation == Operation.Embeddings ? 0 : scan.OutputTokensMax;
        if (outputMax is null)
            outputMax = OutputTokensInjected = await AffordableAsync(inputMax, cancellationToken);
        var worstCase = _price.WorstCaseOf(checked(inputMax), checked(outputMax.Value * scan.Count));
        if (call.Allowance is { } allowance)
        {
            if (!allowance.TryHold(worstCase))
                return ModelRefusal.Allowed(allowance, worstCase);
            _allowed = worstCase;
        }
        if (!isBudgeted)
            return null;
        var outcome = await parts.Budgets.ReserveAsync(call.Spender, worstCase, cancellationToken);
        _reservation = outcome.Reservation;
        return outcome.Refusal is { } refusal ? ModelRefusal.Budget(refusal) : null;
    }

    public void Sent() => _reservation?.Sent();

    public async ValueTask<TokenUsage> EndAsync(AttemptOutcome outcome, AnswerScan? answer, bool isSent, bool mayHaveCost, TimeSpan duration, TimeSpan? firstToken)
    {
        if (_isEnded)
            throw new InvalidOperationException("An attempt ends once.");
        _isEnded = true;
        var reported = answer?.Usage(answer is MessagesScan);
        var usage = reported ?? (mayHaveCost && isSent ? Estimate(answer) : TokenUsage.None);
        Nanodollars? cost = _price is null ? null : _price.CostOf(usage);
        call.Allowance?.Settle(_allowed, cost ?? Nanodollars.Zero);
        if (_reservation is not null)
        {
            await _reservation.SettleAsync(cost ?? Nanodollars.Zero);
            await _reservation.DisposeAsync();
        }
        if (isSent)
        {
            await parts.Usage.WriteAsync(
                new UsageRecord(
                    Attempt, call.Id, _at, call.Spender, target.Provider.Config.Name, target.Model.Id, outcome, usage,
                    reported is null ? UsageSource.Estimated : UsageSource.Reported, cost, _price?.ValidFrom, duration, firstToken),
                // What was spent is written down also for a client that has gone.
                CancellationToken.None);
        }
        return usage;
    }

    private async ValueTask<long> AffordableAsync(long inputMax, CancellationToken cancellationToken)
    {
        var most = Math.Min(target.Model.OutputTokensMax, call.Allowance?.OutputTokensMax ?? long.MaxValue);
        var allowed = call.Allowance?.Left;
        var left = await parts.Budgets.LeftAsync(call.Spender, cancellationToken) is { } budget && (allowed is null || budget < allowed) ? budget : allowed ?? default(Nanodollars?);
        if (left is null)
            return most;
        var rest = left.Value - _price!.WorstCaseOf(inputMax, 0);
        var perMillion = _price.WorstCaseOf(inputMax, 1_000_000) - _price.WorstCaseOf(inputMax, 0);
        if (perMillion.Value == 0)
            return most;
        // One token at least: whether even that is too much is the budget's to say, with its reason.
        return Math.Clamp((long)((Int128)rest.Value * 1_000_000 / perMillion.Value / scan.Count), 1, most);
    }

    /// <summary>Never lower than what a provider could count.</summary>
    private static long InputTokensMax(ReadOnlySpan<byte> body)
    {
        var pointed = body.Count("\"image_url\""u8) + body.Count("\"image\""u8) + body.Count("\"input_image\""u8) + body.Count("\"file\""u8)
            + body.Count("\"input_file\""u8) + body.Count("\"document\""u8);
        return body.Length + FramingTokensMax + (long)pointed * PointedTokensMax;
    }

    private TokenUsage Estimate(AnswerScan? answer)
    {
        var input = answer?.Input ?? call.Body.Length / BytesPerToken + 1;
        var said = answer is null ? 0 : Math.Max(answer.ContentCount, (answer.ContentBytes - answer.ContentCount * ChunkBytesAround) / BytesPerToken);
        return new TokenUsage(input, answer?.CachedInput ?? 0, answer?.CacheWrite ?? 0, answer?.Output ?? said, 0);
    }
}
