namespace Astra.Llm.Money;

/// <summary>
/// What a call consumed, in tokens. The three kinds of input are disjoint and add up to what was sent; <see cref="Reasoning"/>
/// is a part of <see cref="Output"/>, as every provider reports it.
/// </summary>
/// <param name="Input">Read at the full price: neither from the provider's cache nor written to it.</param>
/// <param name="CachedInput">Read from the provider's cache.</param>
/// <param name="CacheWrite">Written to the provider's cache.</param>
public sealed record TokenUsage(long Input, long CachedInput, long CacheWrite, long Output, long Reasoning)
{
    public static readonly TokenUsage None = new(0, 0, 0, 0, 0);

    public long TotalInput => checked(Input + CachedInput + CacheWrite);
}
