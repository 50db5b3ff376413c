using Astra.Llm.Money;
using Astra.Llm.Routing;

namespace Astra.Llm;

/// <summary>Why a request gets no answer of a model, before it is put into a dialect.</summary>
/// <param name="Type">OpenAI's word for the kind of error; Anthropic's is derived from the status.</param>
/// <param name="ShouldRetry">What the official clients obey; null leaves it to them.</param>
public sealed record ModelRefusal(int Status, string Type, string? Code, string Message, string? Parameter = null, TimeSpan? RetryAfter = null, bool? ShouldRetry = null)
{
    public static ModelRefusal Malformed(string sentence, string? parameter = null) => new(400, "invalid_request_error", null, sentence, parameter);

    public static ModelRefusal UnknownModel(string model) =>
        new(404, "invalid_request_error", "model_not_found", $"There is no model {Shown(model)} here; GET /v1/models lists what there is, and `astra model add` adds a provider.", "model");

    public static ModelRefusal NoModels() =>
        new(404, "invalid_request_error", "model_not_found", "No model is configured here, and no local server was found; `astra model add` adds a provider.", "model", ShouldRetry: false);

    public static ModelRefusal NotOffered(string model) =>
        new(400, "invalid_request_error", "unsupported_operation", $"{Shown(model)} leads to providers that do not offer this.", "model");

    public static ModelRefusal NoPrice(string target) => new(
        429, "insufficient_quota", "price_unknown", $"{target} has no price, and under a budget nothing is spent that nobody can count; set one, or name another model.", "model", ShouldRetry: false);

    public static ModelRefusal Allowed(Allowance allowance, Nanodollars worstCase) => new(
        429, "insufficient_quota", "allowance_exceeded", $"The limit for this piece of work has {allowance.Left} left, and this request may cost {worstCase}.", ShouldRetry: false);

    public static ModelRefusal Budget(BudgetRefusal refusal) => refusal.Reason == BudgetRefusalReason.Unavailable
        ? new(503, "server_error", "budgets_unavailable", refusal.Sentence, RetryAfter: TimeSpan.FromSeconds(1))
        : Exceeded(refusal);

    private static ModelRefusal Exceeded(BudgetRefusal refusal) => new(429, BudgetRefusal.Type, BudgetRefusal.Code, refusal.Sentence, ShouldRetry: false);

    /// <summary>What the last of the providers that were tried had to say.</summary>
    public static ModelRefusal Of(Fault fault, string route) => fault.Kind switch
    {
        FaultKind.Throttled => new(429, "rate_limit_error", "rate_limit_exceeded", $"{Shown(route)}: {fault.Sentence}", RetryAfter: fault.RetryAfter ?? KeyState.RestDefault),
        FaultKind.Timeout => new(504, "server_error", "upstream_timeout", $"{Shown(route)}: {fault.Sentence}"),
        // The client's own key is a good one; a 401 would have it look in the wrong place.
        FaultKind.Key => new(503, "server_error", "provider_key_refused", $"{Shown(route)}: {fault.Sentence}", ShouldRetry: false),
        FaultKind.Forbidden => new(503, "server_error", "provider_forbidden", $"{Shown(route)}: {fault.Sentence}", ShouldRetry: false),
        FaultKind.Request => new(fault.Status, "invalid_request_error", null, fault.Sentence),
        _ => new(502, "server_error", "upstream_failed", $"{Shown(route)}: {fault.Sentence}"),
    };

    /// <summary>Nobody could be asked at all.</summary>
    public static ModelRefusal AllResting(string route, TimeSpan keyRest) => keyRest > TimeSpan.Zero
        ? new(429, "rate_limit_error", "rate_limit_exceeded", $"{Shown(route)}: every provider has asked for a rest.", RetryAfter: keyRest)
        : new(503, "server_error", "providers_down", $"{Shown(route)}: every provider has failed again and again and is given a rest.", RetryAfter: Breaker.RestMin);

    private static string Shown(string name) => name.Length <= 100 ? name : name[..100] + "…";
}
