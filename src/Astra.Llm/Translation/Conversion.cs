using System.Buffers;
using Astra.Llm.Config;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>What must be in a request that its client has not put there.</summary>
/// <param name="OutputTokensMax">The bound for the answer: the client's, or the one that its budget makes necessary.</param>
/// <param name="ModelTokensMax">The model's own, for dialects that want a bound in every request.</param>
internal readonly record struct Additions(string Model, bool IncludeUsage, long? OutputTokensMax, long ModelTokensMax, string BoundName);

/// <summary>
/// Stands between a client's dialect and a provider's other one, for one attempt: the request on its way out, the answer on its
/// way back. Where the dialects are the same there is none, and bytes pass.
/// </summary>
internal abstract class Conversion
{
    /// <summary>What the provider is asked.</summary>
    public abstract Operation Upstream { get; }

    /// <exception cref="RequestRefusedException">The other dialect has no word for something in the request.</exception>
    public abstract void WriteRequest(ReadOnlySpan<byte> body, RequestScan scan, Additions additions, IBufferWriter<byte> output);

    public abstract void WriteAnswer(ReadOnlySpan<byte> answer, IBufferWriter<byte> output);

    /// <summary>What the client is told when the provider says this; often nothing.</summary>
    public abstract void WriteEvent(in StreamEvent told, IBufferWriter<byte> output);

    /// <summary>The provider's answer is whole: what ends it in the client's dialect.</summary>
    public abstract void WriteEnd(IBufferWriter<byte> output);

    /// <summary>Null when the provider understands the client.</summary>
    public static Conversion? Between(Operation asked, ProviderConfig provider, RequestScan scan) => (asked, provider.Kind) switch
    {
        (Operation.Chat, ProviderKind.Anthropic) => new ChatOverMessages(scan),
        (Operation.Messages, not ProviderKind.Anthropic) => new MessagesOverChat(),
        (Operation.Responses, ProviderKind.Anthropic) => new Chained(new ResponsesOverChat(scan), new ChatOverMessages(scan with { WantsUsage = true })),
        (Operation.Responses, _) when !provider.Responses => new ResponsesOverChat(scan),
        _ => null,
    };
}
