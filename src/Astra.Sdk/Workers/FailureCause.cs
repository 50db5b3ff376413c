using System.Text;

namespace Astra.Sdk;

/// <summary>Turns an exception into a sentence for people and a fingerprint for grouping.</summary>
public static class FailureCause
{
    private const int ReasonLengthMax = 500;
    private const int FingerprintLengthMax = 160;

    /// <summary>The first line of the message; a stack trace belongs in a log.</summary>
    public static string Sentence(Exception exception)
    {
        var message = exception.Message.AsSpan().Trim();
        var end = message.IndexOfAny('\r', '\n');
        if (end >= 0)
            message = message[..end].TrimEnd();
        if (message.IsEmpty)
            return exception.GetType().Name;
        return message.Length > ReasonLengthMax ? $"{message[..(ReasonLengthMax - 1)]}…" : message.ToString();
    }

    public static string Fingerprint(Exception exception) =>
        Fingerprint(exception is PermanentFailureException { InnerException: { } inner } ? inner.GetType().Name : exception.GetType().Name, Sentence(exception));

    /// <summary>The part of a sentence that stays when the same thing goes wrong elsewhere: quotations, words with digits
    /// or slashes in them (ids, numbers, paths, addresses) become an asterisk.</summary>
    public static string Fingerprint(string kind, string sentence)
    {
        var text = new StringBuilder(kind).Append(':');
        foreach (var word in Unquoted(sentence).Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var isVariable = word.Contains('*') || word.AsSpan().ContainsAny('/', '\\') || word.AsSpan().ContainsAnyInRange('0', '9');
            // Ten ids in a row say no more than one.
            if (isVariable && text.Length > 1 && text[^1] == '*')
                continue;
            text.Append(' ').Append(isVariable ? "*" : word);
            if (text.Length >= FingerprintLengthMax)
                return text.ToString(0, FingerprintLengthMax);
        }
        return text.ToString();
    }

    private static string Unquoted(string sentence)
    {
        var text = new StringBuilder(sentence.Length);
        for (var i = 0; i < sentence.Length; i++)
        {
            var isQuote = sentence[i] is '\'' or '"' or '`' && (i == 0 || !char.IsLetter(sentence[i - 1]));
            var end = isQuote ? sentence.IndexOf(sentence[i], i + 1) : -1;
            text.Append(end > 0 ? '*' : sentence[i]);
            if (end > 0)
                i = end;
        }
        return text.ToString();
    }
}
