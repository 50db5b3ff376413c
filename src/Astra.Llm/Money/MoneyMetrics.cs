using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Astra.Llm.Money;

/// <summary>
/// Tokens, dollars and durations of calls, by the names that OpenTelemetry's conventions for generative AI give them. The
/// first so many models have series of their own, later ones share one: clients can name any model.
/// </summary>
public sealed class MoneyMetrics : IDisposable
{
    public const string MeterName = "Astra.Llm";

    private const int ModelsMax = 50;
    private const string Other = "other";

    private readonly ConcurrentDictionary<(string Provider, string Model), Totals> _totals = new();
    private readonly Totals _others = new();
    private readonly long[] _alerts = new long[BudgetAlert.Thresholds.Count];
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<long> _tokens;
    private long _refusals;
    private long _forgotten;

    public MoneyMetrics()
    {
        Meter = new Meter(new MeterOptions(MeterName) { Scope = this });
        Meter.CreateObservableCounter("astra.model.tokens", MeasureTokens, description: "Tokens, by provider, model and type.");
        Meter.CreateObservableCounter("astra.model.cost", MeasureCost, "{nanodollars}", "What calls came to, by provider and model; a dollar is 1,000,000,000.");
        Meter.CreateObservableCounter("astra.model.calls", MeasureCalls, description: "Attempts at models, by provider, model and outcome.");
        Meter.CreateObservableCounter("astra.budget.refusals", () => Volatile.Read(ref _refusals), description: "Calls that no budget had room for.");
        Meter.CreateObservableCounter("astra.recordings.forgotten", () => Volatile.Read(ref _forgotten), description: "Recordings of goals that were deleted because their time was over.");
        Meter.CreateObservableCounter("astra.budget.alerts", MeasureAlerts, description: "Thresholds of budgets that were reached, by percent.");
        var seconds = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] };
        _duration = Meter.CreateHistogram("gen_ai.client.operation.duration", "s", "How long attempts took, by model.", advice: seconds);
        _tokens = Meter.CreateHistogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of an attempt, by type.",
            advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304] });
        _firstToken = Meter.CreateHistogram("gen_ai.client.operation.time_to_first_chunk", "s", "Until the first token, by model.", advice: seconds);
    }

    public Meter Meter { get; }

    public void Count(UsageRecord record)
    {
        var (totals, model) = Find(record.Provider, record.Model);
        totals.Add(record);
        if (record.Outcome == AttemptOutcome.Cached)
            return;
        var labels = new TagList
        {
            { "gen_ai.operation.name", record.Operation }, { "gen_ai.provider.name", model == Other ? Other : record.Provider }, { "gen_ai.request.model", model },
        };
        if (record.TimeToFirstToken is { } first)
            _firstToken.Record(first.TotalSeconds, labels);
        var timed = labels;
        if (record.Outcome is AttemptOutcome.Failed or AttemptOutcome.Cut)
            timed.Add("error.type", record.Outcome.ToString().ToLowerInvariant());
        _duration.Record(record.Duration.TotalSeconds, timed);
        labels.Add("gen_ai.token.type", "input");
        _tokens.Record(record.Usage.TotalInput, labels);
        labels[^1] = new("gen_ai.token.type", "output");
        _tokens.Record(record.Usage.Output, labels);
    }

    public void CountRefusal() => Interlocked.Increment(ref _refusals);

    public void CountForgotten(long recordings) => Interlocked.Add(ref _forgotten, recordings);

    public void Count(BudgetAlert alert)
    {
        for (var i = 0; i < _alerts.Length; i++)
        {
            if (BudgetAlert.Thresholds[i] == alert.Percent)
                Interlocked.Increment(ref _alerts[i]);
        }
    }

    public void Dispose() => Meter.Dispose();

    private (Totals, string Model) Find(string provider, string model)
    {
        if (_totals.TryGetValue((provider, model), out var totals))
            return (totals, model);
        return _totals.Count < ModelsMax ? (_totals.GetOrAdd((provider, model), static _ => new Totals()), model) : (_others, Other);
    }

    private IEnumerable<(KeyValuePair<string, object?>[] Labels, Totals Totals)> All()
    {
        foreach (var (key, totals) in _totals)
            yield return (LabelsOf(key.Provider, key.Model), totals);
        if (_others.HasAny)
            yield return (LabelsOf(Other, Other), _others);
    }

    private IEnumerable<Measurement<long>> MeasureTokens() => All().SelectMany(each => each.Totals.Tokens().Select(
        tokens => new Measurement<long>(tokens.Count, [.. each.Labels, new("gen_ai.token.type", tokens.Type)])));

    private IEnumerable<Measurement<long>> MeasureCost() => All().Select(each => new Measurement<long>(each.Totals.Cost, each.Labels));

    private IEnumerable<Measurement<long>> MeasureCalls() => All().SelectMany(each => each.Totals.Calls().Select(
        calls => new Measurement<long>(calls.Count, [.. each.Labels, new("outcome", calls.Outcome)])));

    private IEnumerable<Measurement<long>> MeasureAlerts() => BudgetAlert.Thresholds.Select(
        (threshold, i) => new Measurement<long>(Volatile.Read(ref _alerts[i]), new KeyValuePair<string, object?>("percent", threshold)));

    private static KeyValuePair<string, object?>[] LabelsOf(string provider, string model) => [new("gen_ai.provider.name", provider), new("gen_ai.request.model", model)];

    private sealed class Totals
    {
        private static readonly AttemptOutcome[] Outcomes = Enum.GetValues<AttemptOutcome>();

        private readonly long[] _calls = new long[(int)Outcomes.Max() + 1];
        private long _input, _cached, _cacheWrite, _output, _reasoning, _cost;

        public bool HasAny => Calls().Any();
        public long Cost => Volatile.Read(ref _cost);

        public void Add(UsageRecord record)
        {
            Interlocked.Add(ref _input, record.Usage.Input);
            Interlocked.Add(ref _cached, record.Usage.CachedInput);
            Interlocked.Add(ref _cacheWrite, record.Usage.CacheWrite);
            Interlocked.Add(ref _output, record.Usage.Output - record.Usage.Reasoning);
            Interlocked.Add(ref _reasoning, record.Usage.Reasoning);
            Interlocked.Add(ref _cost, record.Cost?.Value ?? 0);
            Interlocked.Add(ref _calls[(int)record.Outcome], record.Calls);
        }

        public IEnumerable<(string Type, long Count)> Tokens() =>
        [
            ("input", Volatile.Read(ref _input)), ("input_cached", Volatile.Read(ref _cached)), ("input_cache_write", Volatile.Read(ref _cacheWrite)),
            ("output", Volatile.Read(ref _output)), ("output_reasoning", Volatile.Read(ref _reasoning)),
        ];

        public IEnumerable<(string Outcome, long Count)> Calls() => Outcomes
            .Select(outcome => (outcome.ToString().ToLowerInvariant(), Volatile.Read(ref _calls[(int)outcome]))).Where(calls => calls.Item2 > 0);
    }
}
