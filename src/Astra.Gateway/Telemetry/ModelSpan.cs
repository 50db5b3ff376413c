using System.Diagnostics;
using Astra.Llm.Money;

namespace Astra.Gateway;

/// <summary>What a span says of one attempt at a model, by the names that OpenTelemetry's conventions for generative AI give it. Ids,
/// names and figures; nothing that was said.</summary>
internal static class ModelSpan
{
    public static void End(Activity span, UsageRecord record)
    {
        span.SetTag("gen_ai.operation.name", record.Operation);
        span.SetTag("gen_ai.provider.name", record.Provider);
        span.SetTag("gen_ai.request.model", record.Model);
        span.SetTag("gen_ai.usage.input_tokens", record.Usage.TotalInput);
        span.SetTag("gen_ai.usage.output_tokens", record.Usage.Output);
        SetWhereAny(span, "gen_ai.usage.cache_read.input_tokens", record.Usage.CachedInput);
        SetWhereAny(span, "gen_ai.usage.cache_creation.input_tokens", record.Usage.CacheWrite);
        SetWhereAny(span, "gen_ai.usage.reasoning.output_tokens", record.Usage.Reasoning);
        span.SetTag("astra.tenant.id", record.Spender.Tenant.ToString());
        span.SetTag("astra.request.id", record.Request.ToString());
        span.SetTag("astra.outcome", NameOf(record.Outcome));
        span.SetTag("astra.usage.source", record.Source == UsageSource.Reported ? "reported" : "estimated");
        if (record.Cost is { } cost)
            span.SetTag("astra.cost_nanodollars", cost.Value);
        if (record.TimeToFirstToken is { } first)
            span.SetTag("gen_ai.response.time_to_first_chunk", first.TotalSeconds);
        if (record.Spender.Goal is { } goal)
            span.SetTag("astra.goal.id", goal.ToString());
        if (record.Spender.Task is { } task)
            span.SetTag("astra.task.id", task.ToString());
        if (record.Spender.Agent is { } agent)
            span.SetTag("gen_ai.agent.name", agent);
        if (record.Outcome is AttemptOutcome.Failed or AttemptOutcome.Cut)
        {
            span.SetTag("error.type", NameOf(record.Outcome));
            span.SetStatus(ActivityStatusCode.Error);
        }
        span.SetEndTime((record.At + record.Duration).UtcDateTime);
        span.Dispose();
    }

    private static void SetWhereAny(Activity span, string name, long count)
    {
        if (count > 0)
            span.SetTag(name, count);
    }

    private static string NameOf(AttemptOutcome outcome) => outcome.ToString().ToLowerInvariant();
}
