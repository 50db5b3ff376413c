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
    public static bool IsAnthropic(this Operation operation) => operation is Operation.Messages or Operation.CountTokens;
}
