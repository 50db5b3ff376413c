namespace Astra.Llm;

/// <summary>What a client asks for, and thereby the dialect in which it is answered.</summary>
public enum Operation : byte
{
    /// <summary>OpenAI's POST /v1/chat/completions.</summary>
    Chat = 1,

    /// <summary>OpenAI's POST /v1/responses.</summary>
    Responses = 2,

    /// <summary>OpenAI's POST /v1/embeddings.</summary>
    Embeddings = 3,

    /// <summary>Anthropic's POST /v1/messages.</summary>
    Messages = 4,

    /// <summary>Anthropic's POST /v1/messages/count_tokens.</summary>
    CountTokens = 5,
}

public static class OperationExtensions
{
    /// <summary>What OpenTelemetry's conventions for generative AI call it.</summary>
    public static string OpenTelemetryName(this Operation operation) => operation switch
    {
        Operation.Embeddings => "embeddings",
        Operation.CountTokens => "count_tokens",
        _ => "chat",
    };

    /// <summary>Whether a cheaper model can answer in place of another. Embeddings of two models have nothing to do with each other.</summary>
    public static bool CanDegrade(this Operation operation) => operation is Operation.Chat or Operation.Responses or Operation.Messages;

    public static bool IsAnthropic(this Operation operation) => operation is Operation.Messages or Operation.CountTokens;
}
