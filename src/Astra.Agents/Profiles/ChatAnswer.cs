using System.Text;
using System.Text.Json;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>A call that a model asks for. The arguments are its own words and may be anything.</summary>
internal sealed record AskedCall(string Id, string Name, string Arguments);

/// <summary>What a model answered, as far as a loop has to know.</summary>
/// <param name="IsCut">It ended because it may say no more, not because it was done.</param>
/// <param name="Tokens">Read and written; roughly, where the provider says nothing.</param>
internal sealed record ChatAnswer(string Text, IReadOnlyList<AskedCall> Calls, bool IsCut, long Tokens, decimal Dollars, string? Model)
{
    private const int BytesPerToken = 4;

    /// <exception cref="PermanentFailureException">The request is refused, and would be the next time: its money is spent, there is
    /// no such model, or it is wrong.</exception>
    /// <exception cref="IOException">There is no answer now.</exception>
    public static ChatAnswer Of(ModelReply reply, int questionBytes)
    {
        if (reply.Status != 200)
            throw Refused(reply);
        try
        {
            var json = AstraJson.Parse(reply.Body.Span);
            var choice = json.GetProperty("choices")[0];
            var message = choice.GetProperty("message");
            var reason = choice.TryGetProperty("finish_reason", out var said) && said.ValueKind == JsonValueKind.String ? said.GetString() : null;
            if (reason == "content_filter")
                throw new PermanentFailureException("The provider's filter stopped the model's answer.");
            return new ChatAnswer(
                TextOf(message), CallsOf(message), reason == "length", TokensOf(json) ?? (questionBytes + reply.Body.Length) / BytesPerToken, reply.Dollars, reply.Model);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new IOException("The model's answer is not of the form that a chat has.", e);
        }
    }

    private static Exception Refused(ModelReply reply)
    {
        var (sentence, type) = ($"The model answered with the status {reply.Status}.", "");
        try
        {
            var error = AstraJson.Parse(reply.Body.Span).GetProperty("error");
            sentence = error.GetProperty("message").GetString() ?? sentence;
            type = error.TryGetProperty("type", out var told) && told.ValueKind == JsonValueKind.String ? told.GetString() : type;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            // A refusal in somebody else's form is a refusal all the same.
        }
        // What is spent stays spent, and who does not know the model will not know it in a second.
        return type == "insufficient_quota" || reply.Status is >= 400 and < 500 and not (408 or 429) ? new PermanentFailureException(sentence) : new IOException(sentence);
    }

    private static string TextOf(JsonElement message)
    {
        if (!message.TryGetProperty("content", out var content))
            return "";
        return content.ValueKind switch
        {
            JsonValueKind.String => content.GetString()!,
            JsonValueKind.Array => content.EnumerateArray().Where(part => part.TryGetProperty("text", out _))
                .Aggregate(new StringBuilder(), (text, part) => text.Append(part.GetProperty("text").GetString())).ToString(),
            _ => "",
        };
    }

    private static List<AskedCall> CallsOf(JsonElement message)
    {
        var calls = new List<AskedCall>();
        if (!message.TryGetProperty("tool_calls", out var asked) || asked.ValueKind != JsonValueKind.Array)
            return calls;
        foreach (var call in asked.EnumerateArray())
        {
            var function = call.GetProperty("function");
            var id = call.TryGetProperty("id", out var named) && named.ValueKind == JsonValueKind.String ? named.GetString()! : "";
            var arguments = function.TryGetProperty("arguments", out var given) ? given.ValueKind == JsonValueKind.String ? given.GetString()! : given.GetRawText() : "";
            // Some servers give no ids, or the same one twice; an answer to a call needs one of its own.
            calls.Add(new AskedCall(id.Length > 0 && calls.TrueForAll(call => call.Id != id) ? id : $"call_{calls.Count + 1}", function.GetProperty("name").GetString() ?? "", arguments));
        }
        return calls;
    }

    private static long? TokensOf(JsonElement json) =>
        json.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty("prompt_tokens", out var read) && read.TryGetInt64(out var input)
            ? input + (usage.TryGetProperty("completion_tokens", out var written) && written.TryGetInt64(out var output) ? output : 0)
            : null;
}
