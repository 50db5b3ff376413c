using Astra.Llm.Config;
using Astra.Llm.Money;

namespace Astra.Llm.Routing;

/// <summary>One model at one provider, and how it has been doing.</summary>
internal sealed class Target(Provider provider, ModelEntry model, TimeProvider clock)
{
    private int _inFlight;

    public Provider Provider { get; } = provider;
    public ModelEntry Model { get; } = model;
    public string Name { get; } = $"{provider.Config.Name}/{model.Id}";
    public Breaker Breaker { get; } = new(clock);

    /// <summary>To the first token of a stream.</summary>
    public Latency FirstToken { get; } = new(clock);

    /// <summary>To the end of an answer in one piece; the two have nothing to do with each other.</summary>
    public Latency Whole { get; } = new(clock);

    public int InFlight => Volatile.Read(ref _inFlight);

    public Latency LatencyOf(bool isStream) => isStream ? FirstToken : Whole;

    public void Began() => Interlocked.Increment(ref _inFlight);
    public void Ended() => Interlocked.Decrement(ref _inFlight);

    /// <summary>What one more request would wait for, roughly; what is not known yet is worth a try.</summary>
    public double Load(bool isStream) => LatencyOf(isStream).Expected * (1 + InFlight);

    /// <summary>A figure to compare prices by: as much input as output. Null where there is none.</summary>
    public long? Price(IPrices prices, DateTimeOffset now) =>
        prices.Find(Provider.Config.Name, Model.Id, now) is { } price ? price.Rates.Input.Value + price.Rates.Output.Value : null;

    public bool CanServe(Operation operation) => operation switch
    {
        Operation.Embeddings => Provider.Config.Kind != ProviderKind.Anthropic,
        Operation.CountTokens => Provider.Config.Kind == ProviderKind.Anthropic,
        _ => true,
    };
}
