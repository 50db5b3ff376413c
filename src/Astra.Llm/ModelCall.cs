using System.IO.Pipelines;
using Astra.Llm.Caching;
using Astra.Llm.Money;

namespace Astra.Llm;

/// <summary>How much somebody waits for the answer: it decides between the quick and the cheap.</summary>
public enum CallPriority : byte
{
    Normal = 0,

    /// <summary>Cheapest first, and never two attempts at once.</summary>
    Low = 1,

    /// <summary>Quickest first.</summary>
    High = 2,
}

/// <summary>One request for a model, as it came.</summary>
/// <param name="Body">The client's bytes. What need not be changed is sent on as it stands.</param>
public sealed record ModelCall(Operation Operation, ReadOnlyMemory<byte> Body, Spender Spender)
{
    public required Guid Id { get; init; }

    /// <summary>Which attempt at the spender's task asks; 0 where it does not say.</summary>
    public int Attempt { get; init; }

    /// <summary>The kind of task it is for; the configuration may give kinds routes of their own.</summary>
    public string? Kind { get; init; }

    public CallPriority Priority { get; init; }

    /// <summary>What this call may spend beside the budgets, and what it came to; null where nobody asks.</summary>
    public Allowance? Allowance { get; init; }

    public CacheWish Cache { get; init; }

    /// <summary>Anthropic's headers, which are part of the request there.</summary>
    public string? AnthropicVersion { get; init; }
    public string? AnthropicBeta { get; init; }
}

/// <summary>Where an answer goes. Nothing is started before there is content: until then another provider may still answer.</summary>
public interface IModelReply
{
    void SetHeader(string name, string value);

    /// <param name="length">Null for a stream.</param>
    void Start(int status, string contentType, long? length);

    PipeWriter Body { get; }

    /// <summary>A stream broke off behind what was written, the error among it: it has no end that could be taken for a good one.</summary>
    void Break()
    {
        // Enough for whoever reads the error.
    }
}
