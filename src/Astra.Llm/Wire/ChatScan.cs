using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>OpenAI's chat completions and embeddings.</summary>
internal sealed class ChatScan : AnswerScan
{
    protected override EventMeaning LookAt(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8))
            return EventMeaning.End;
        var reader = Begin(data);
        var (hasChoices, hasContent, hasUsage, hasError) = (false, false, false, false);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("choices"u8))
            {
                reader.Read();
                (hasChoices, hasContent) = ReadChoices(ref reader);
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                hasUsage = reader.TokenType == JsonTokenType.StartObject;
                ReadOpenAiUsage(ref reader);
            }
            else if (reader.ValueTextEquals("error"u8))
            {
                reader.Read();
                hasError = reader.TokenType != JsonTokenType.Null;
                if (hasError)
                    Error = ReadError(ref reader);
            }
            else
                SkipValue(ref reader);
        }
        // To the end, so that what is broken behind is noticed.
        reader.Read();
        return hasError ? EventMeaning.Error
            : hasContent ? EventMeaning.Content
            : !hasChoices && hasUsage ? EventMeaning.UsageOnly
            : EventMeaning.Lifecycle;
    }

    public override void LookAtWhole(ReadOnlySpan<byte> answer)
    {
        var meaning = LookAt(default, answer);
        if (meaning != EventMeaning.Error)
            IsWhole = true;
    }

    private (bool Any, bool Content) ReadChoices(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            reader.Skip();
            return (false, false);
        }
        var (any, content) = (false, false);
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            any = true;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("delta"u8))
                {
                    reader.Read();
                    content |= ReadDelta(ref reader);
                }
                else if (reader.ValueTextEquals("finish_reason"u8))
                {
                    reader.Read();
                    if (reader.TokenType == JsonTokenType.String)
                        (IsWhole, content) = (true, true);
                }
                else
                    SkipValue(ref reader);
            }
        }
        return (any, content);
    }

    /// <summary>Anything but the role is something said: text, a refusal, reasoning, a call of a tool.</summary>
    private static bool ReadDelta(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return false;
        }
        var content = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isRole = reader.ValueTextEquals("role"u8);
            reader.Read();
            content |= !isRole && reader.TokenType switch
            {
                JsonTokenType.String => reader.HasValueSequence || reader.ValueSpan.Length > 0,
                JsonTokenType.StartArray or JsonTokenType.StartObject => true,
                _ => false,
            };
            reader.Skip();
        }
        return content;
    }
}
