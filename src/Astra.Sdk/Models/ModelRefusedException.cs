namespace Astra.Sdk;

/// <summary>A model was not asked, or did not answer to the end; the message is the server's sentence.</summary>
/// <param name="code">OpenAI's word for it, such as `budget_exceeded`, `model_not_found`, `upstream_cut`.</param>
/// <param name="isPassing">The same request may be answered later.</param>
public sealed class ModelRefusedException(int status, string? code, string message, TimeSpan? retryAfter, bool isPassing)
    : AstraException(status, "The model was not answered for", message, retryAfter)
{
    public string? Code { get; } = code;

    public bool IsPassing { get; } = isPassing;
}
