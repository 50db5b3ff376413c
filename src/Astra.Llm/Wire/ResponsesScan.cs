using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>OpenAI's responses.</summary>
internal sealed class ResponsesScan : AnswerScan
{
    protected override EventMeaning LookAt(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        // Some servers end this stream as they end the other.
        if (data.SequenceEqual("[DONE]"u8))
            return EventMeaning.End;
        var reader = Begin(data);
        var meaning = EventMeaning.Lifecycle;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                meaning = reader.TokenType == JsonTokenType.String ? MeaningOf(reader.GetString()!) : EventMeaning.Lifecycle;
            }
            else if (reader.ValueTextEquals("response"u8))
            {
                reader.Read();
                ReadResponse(ref reader);
            }
            else if (reader.ValueTextEquals("message"u8) && meaning == EventMeaning.Error)
            {
                reader.Read();
                Error = ReadError(ref reader);
            }
            else
                SkipValue(ref reader);
        }
        reader.Read();
        if (meaning == EventMeaning.End)
            IsWhole = true;
        if (meaning == EventMeaning.Error)
            Error ??= "";
        return meaning;
    }

    public override void LookAtWhole(ReadOnlySpan<byte> answer)
    {
        var reader = Begin(answer);
        ReadMembers(ref reader);
        reader.Read();
        IsWhole = Error is null;
    }

    private static EventMeaning MeaningOf(string type) => type switch
    {
        "response.completed" or "response.incomplete" => EventMeaning.End,
        "response.failed" or "error" => EventMeaning.Error,
        _ => type.EndsWith(".delta", StringComparison.Ordinal) ? EventMeaning.Content : EventMeaning.Lifecycle,
    };

    private void ReadResponse(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
            ReadMembers(ref reader);
    }

    private void ReadMembers(ref Utf8JsonReader reader)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                ReadOpenAiUsage(ref reader);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Null)
                    Error = ReadError(ref reader);
            }
            else
                SkipValue(ref reader);
        }
    }
}
