using System.Globalization;
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

    // A conversation that the provider keeps is read again with each turn, and its bytes are not here: as much as any model reads.
    private const int KeptTokensMax = 1 << 20;

    // The roles and separators around the messages are tokens that no byte stands for.
    private const int FramingTokensMax = 1_024;

    // What a token comes to in bytes when nobody counted it, and what a chunk of a stream has around its text.
    private const int BytesPerToken = 4;
    private const int ChunkBytesAround = 250;

    private readonly DateTimeOffset _at = parts.Clock.GetUtcNow();
    private ModelPrice? _price;
    private Reservation? _reservation;
    private Nanodollars _allowed;
    private bool _isEnded;

    public Guid Attempt { get; } = Guid.CreateVersion7();

    /// <summary>The bound for the answer that the budget makes necessary; null where the client's own or none will do.</summary>
    public long? OutputTokensInjected { get; private set; }

    /// <summary>Null when the attempt may begin.</summary>
    public async ValueTask<ModelRefusal?> ReserveAsync(CancellationToken cancellationToken)
    {
        var isBudgeted = call.Operation != Operation.CountTokens && await parts.Budgets.MayRefuseAsync(call.Spender, cancellationToken);
        // Afterwards, because prices that were set elsewhere come with the look at the budgets.
        _price = parts.Prices.Find(target.Provider.Config.Name, target.Model.Id, _at);
        if (!isBudgeted && call.Allowance?.Cap is null)
        {
            // Only where it says less than the model itself: a bound above that is refused by some.
            if (scan.OutputTokensMax is null && call.Allowance?.OutputTokensMax < target.Model.OutputTokensMax)
                OutputTokensInjected = call.Allowance.OutputTokensMax;
            return null;
        }
        if (_price is null)
            return ModelRefusal.NoPrice(target.Name);
        var size = SizeOf(call.Body.Span);
        if (CallBounds.Bound(_price, size, call.Allowance?.Left) is not { } bounded || call.Allowance?.TryHold(bounded.WorstCase) == false)
            return ModelRefusal.Allowed(call.Allowance!, CallBounds.WorstCaseOf(_price, size, size.OutputTokens ?? Math.Min(CallBounds.MaxTokensMin, size.OutputTokensMax)));
        _allowed = bounded.WorstCase;
        if (isBudgeted)
        {
            (var outcome, bounded) = await CallBounds.ReserveAsync(parts.Budgets, call.Spender, _price, size, bounded, cancellationToken);
            if (outcome.Refusal is { } refusal)
                return ModelRefusal.Budget(refusal);
            _reservation = outcome.Reservation;
        }
        if (size.OutputTokens is null)
            OutputTokensInjected = bounded.MaxTokens;
        return null;
    }

    public void Sent() => _reservation?.Sent();

    /// <summary>What an answer that is there whole came to, for its client to read without knowing its dialect.</summary>
    public void Tell(AnswerScan answer, Action<string, string> set)
    {
        if (call.Operation == Operation.CountTokens)
            return;
        var usage = UsageOf(answer) ?? Estimate(answer);
        set("x-astra-input-tokens", usage.TotalInput.ToString(CultureInfo.InvariantCulture));
        set("x-astra-output-tokens", usage.Output.ToString(CultureInfo.InvariantCulture));
        if (_price is not null)
            set("x-astra-cost-nanos", _price.CostOf(usage).Value.ToString(CultureInfo.InvariantCulture));
    }

    public async ValueTask<TokenUsage> EndAsync(AttemptOutcome outcome, AnswerScan answer, bool isSent, bool mayHaveCost, TimeSpan duration, TimeSpan? firstToken)
    {
        if (_isEnded)
            throw new InvalidOperationException("An attempt ends once.");
        _isEnded = true;
        var reported = UsageOf(answer);
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
                    reported is null ? UsageSource.Estimated : UsageSource.Reported, cost, _price?.ValidFrom, duration, firstToken, call.Operation.OpenTelemetryName()),
                // What was spent is written down also for a client that has gone.
                CancellationToken.None);
        }
        return usage;
    }

    private static TokenUsage? UsageOf(AnswerScan answer) => answer.Usage(answer is MessagesScan);

    private RequestSize SizeOf(ReadOnlySpan<byte> body) => new(
        body.Length + FramingTokensMax,
        call.Operation == Operation.Embeddings ? 0 : scan.OutputTokensMax,
        Math.Min(target.Model.OutputTokensMax, call.Allowance?.OutputTokensMax ?? long.MaxValue),
        scan.Count,
        PointedTokens(body) + KeptTokens(body));

    private static long PointedTokens(ReadOnlySpan<byte> body) => (long)RequestWords.Count(body, RequestWords.Pointing) * PointedTokensMax;

    private long KeptTokens(ReadOnlySpan<byte> body) =>
        call.Operation == Operation.Responses && RequestWords.Count(body, RequestWords.Keeping) > 0 ? KeptTokensMax : 0;

    /// <summary>The provider did not get to say it. Of what was sent every byte is a token, because who leaves early would otherwise
    /// pay less than the provider asks, and pass a cap that way; of what was delivered each part is one, or every few bytes are.</summary>
    private TokenUsage Estimate(AnswerScan answer)
    {
        var input = answer.Input ?? call.Body.Length + PointedTokens(call.Body.Span);
        var said = Math.Max(answer.ContentCount, (answer.ContentBytes - answer.ContentCount * ChunkBytesAround) / BytesPerToken);
        return new TokenUsage(input, answer.CachedInput, answer.CacheWrite, answer.Output ?? said, 0);
    }
}
