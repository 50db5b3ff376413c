using Astra.Governance;
using Astra.Llm.Money;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using MoneyGrouping = Astra.Llm.Money.UsageGrouping;
using WireGrouping = Astra.Sdk.UsageGrouping;

namespace Astra.Gateway;

/// <summary>What was spent, what models cost, and the secrets that open them. A secret goes in here and never comes out.</summary>
internal sealed class UsageEndpoints(MoneyParts money, TimeProvider clock)
{
    private const int NameLengthMax = 200;

    // Records are written behind the answers, a batch every 50 ms: whoever asks at once waits for a few of those.
    private static readonly TimeSpan BehindMax = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(50);

    public void Map(IEndpointRouteBuilder api)
    {
        api.MapGet("/usage", Usage).WithTags("Budgets").Produces<UsageView>().WithSummary("What calls of models came to, by model, agent, goal, key or day; this month unless `from` and `to` say otherwise.");
        api.MapGet("/usage/requests/{id:guid}", OfRequest).WithTags("Budgets").Produces<RequestUsageView>()
            .WithSummary("What one request for a model came to, streamed or not, by the id that its answer had in `x-request-id` or `request-id`.");
        api.MapGet("/prices", (Delegate)ListPrices).WithTags("Budgets").Produces<IReadOnlyList<PriceView>>().WithSummary("What models cost: prices that were set, then those built in.");
        api.MapPost("/prices", SetPrice).For(Access.Operator).WithTags("Budgets").Produces<PriceView>(StatusCodes.Status201Created).WithSummary("Add a price that is valid from some moment on.");

        var secrets = api.MapGroup("/secrets").For(Access.OrgAdmin).WithTags("Secrets");
        secrets.MapGet("", (Delegate)ListSecrets).Produces<IReadOnlyList<SecretView>>().WithSummary("The names of the tenant's secrets. Values are never answered.");
        secrets.MapPut("/{name}", SetSecret).Produces(StatusCodes.Status204NoContent).WithSummary("Set a secret, or set it anew.");
        secrets.MapDelete("/{name}", RemoveSecret).Produces(StatusCodes.Status204NoContent).WithSummary("Remove a secret.");
    }

    private async Task<IResult> Usage(string? by, DateTimeOffset? from, DateTimeOffset? to, int? limit, HttpContext http)
    {
        if (PageQuery.Refuse(limit) is { } bad)
            return bad;
        var grouping = WireGrouping.Model;
        if (by is not null && !(Enum.TryParse(by, ignoreCase: true, out grouping) && Enum.IsDefined(grouping)))
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, "by is model, agent, goal, key or day.");
        var now = clock.GetUtcNow();
        var (begin, end) = (from ?? new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero), to ?? now);
        if (begin >= end)
            return Problems.Of(StatusCodes.Status422UnprocessableEntity, "from is before to.");
        var sums = await money.Usage.SumAsync(http.Principal().Tenant, (MoneyGrouping)(int)grouping, begin, end, limit ?? PageQuery.LimitDefault, http.RequestAborted);
        return Replies.Json(new UsageView(grouping, begin, end, [.. sums.Select(ToView)]));
    }

    private async Task<IResult> OfRequest(Guid id, HttpContext http)
    {
        var began = clock.GetTimestamp();
        IReadOnlyList<UsageRecord> attempts;
        while ((attempts = await money.Usage.OfRequestAsync(http.Principal().Tenant, id, http.RequestAborted)).Count == 0 && clock.GetElapsedTime(began) < BehindMax)
            await Task.Delay(LookPeriod, clock, http.RequestAborted);
        return attempts.Count == 0
            ? Problems.Of(StatusCodes.Status404NotFound, $"No usage is written down for request {id}: it was answered from the cache, refused before anybody was asked, has not ended yet, or is none.")
            : Replies.Json(new RequestUsageView(id, attempts.Sum(attempt => attempt.Cost?.Value ?? 0), [.. attempts.Select(ToView)]));
    }

    private Task<IResult> ListPrices(HttpContext http) =>
        Task.FromResult(Replies.Json(money.PriceBook.All.Select(ToView).ToList()));

    private async Task<IResult> SetPrice(PriceView price, HttpContext http)
    {
        if (!IsWord(price.Provider) || !IsWord(price.Model))
            return Invalid($"A price names its provider (or *) and its model, each on one line of 1 to {NameLengthMax} characters.");
        if (price.LargeAboveTokens is null != price.Large is null)
            return Invalid("A price for large inputs says from how many tokens on and what they cost.");
        var named = new ModelPrice(
            price.Provider, price.Model, price.ValidFrom, ToRates(price.Rates), price.Large is { } large ? new LargeInputPrice(price.LargeAboveTokens!.Value, ToRates(large)) : null);
        if (PriceRules.Refuse(named, money.IsRemote(named.Provider)) is { } problem)
            return Invalid(problem);
        if (!await money.Prices.AddAsync(named, http.Principal().Caller.Principal, clock.GetUtcNow(), http.RequestAborted))
            return Problems.Of(StatusCodes.Status409Conflict, $"{named.Provider}/{named.Model} has a price from {named.ValidFrom:u} on already, and what was paid by it stays known; let the new one begin later.");
        await money.ReloadPrices(http.RequestAborted);
        return Replies.Json(ToView(named), StatusCodes.Status201Created);
    }

    private async Task<IResult> ListSecrets(HttpContext http) => Replies.Json((await money.Secrets.ListAsync(http.Principal().Tenant, http.RequestAborted))
        .Select(secret => new SecretView(secret.Name, secret.KeyId, secret.SetBy, secret.CreatedAt, secret.SetAt)).ToList());

    private async Task<IResult> SetSecret(string name, SecretRequest request, HttpContext http) =>
        await money.Secrets.SetAsync(http.Principal().Caller, name, request.Value, http.RequestAborted) is { } problem ? Invalid(problem) : Results.NoContent();

    private async Task<IResult> RemoveSecret(string name, HttpContext http) => await money.Secrets.RemoveAsync(http.Principal().Tenant, name, http.RequestAborted)
        ? Results.NoContent()
        : Problems.Of(StatusCodes.Status404NotFound, $"There is no secret '{Words.Clean(name)}' here; `astra secret list` prints those there are.");

    private static bool IsWord(string text) => text.Length is >= 1 and <= NameLengthMax && Words.IsPlain(text) && !text.Contains(' ');

    private static IResult Invalid(string sentence) => Problems.Of(StatusCodes.Status422UnprocessableEntity, sentence);

    private static PerMillionTokens ToRates(RatesView rates) => new(
        new(rates.InputNanos), new(rates.CachedInputNanos), new(rates.CacheWriteNanos), new(rates.OutputNanos), new(rates.ReasoningNanos));

    private static RatesView ToView(PerMillionTokens rates) => new(
        rates.Input.Value, rates.CachedInput.Value, rates.CacheWrite.Value, rates.Output.Value, rates.Reasoning.Value);

    private static PriceView ToView(ModelPrice price) => new(
        price.Provider, price.Model, price.ValidFrom, ToView(price.Rates), price.LargeInput?.AboveInputTokens, price.LargeInput is { } large ? ToView(large.Rates) : null, price.IsBuiltIn);

    private static AttemptUsageView ToView(UsageRecord attempt) => new(
        attempt.At, $"{attempt.Provider}/{attempt.Model}", (AttemptEnd)(int)attempt.Outcome, attempt.Source == UsageSource.Estimated, attempt.Usage.Input, attempt.Usage.CachedInput,
        attempt.Usage.CacheWrite, attempt.Usage.Output, attempt.Usage.Reasoning, attempt.Cost?.Value, attempt.Duration.TotalMilliseconds);

    private static UsageSumView ToView(UsageSum sum) => new(
        sum.Of, sum.Calls, sum.Usage.Input, sum.Usage.CachedInput, sum.Usage.CacheWrite, sum.Usage.Output, sum.Usage.Reasoning, sum.Cost.Value, sum.UnpricedCalls);
}
