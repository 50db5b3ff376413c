namespace Astra.Agents;

/// <summary>
/// What a question can take of a limit of tokens, known before it is asked: bytes stand for what is read, as they do where money is
/// reserved, because there is no tokenizer here and an estimate can be too low; the answer is bounded to the rest.
/// </summary>
internal static class TokenBounds
{
    // The roles and separators around the messages are tokens that no byte stands for.
    private const int FramingTokensMax = 1_024;

    // An answer that is cut shorter than this helps nobody.
    private const int AnswerTokensMin = 256;

    /// <summary>With the shortest answer that is of use.</summary>
    public static long MostOf(int questionBytes) => questionBytes + FramingTokensMax + AnswerTokensMin;

    /// <returns>How long the answer may be; null when the question does not fit.</returns>
    public static long? AnswerTokensMax(long left, int questionBytes) => MostOf(questionBytes) > left ? null : left - questionBytes - FramingTokensMax;
}
