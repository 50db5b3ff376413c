using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>Anthropic's messages.</summary>
internal sealed class MessagesScan : AnswerScan
{
    protected override EventMeaning LookAt(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data)
    {
        var reader = Begin(data);
        var meaning = EventMeaning.Lifecycle;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8))
            {
                reader.Read();
                meaning = reader.TokenType != JsonTokenType.String ? EventMeaning.Lifecycle
                    : reader.ValueTextEquals("content_block_delta"u8) || reader.ValueTextEquals("message_delta"u8) ? EventMeaning.Content
                    : reader.ValueTextEquals("message_stop"u8) ? EventMeaning.End
                    : reader.ValueTextEquals("error"u8) ? EventMeaning.Error
                    : reader.ValueTextEquals("ping"u8) ? EventMeaning.KeepAlive
                    : EventMeaning.Lifecycle;
            }
            else if (reader.ValueTextEquals("message"u8))
            {
                reader.Read();
                ReadMessage(ref reader);
            }
            else if (reader.ValueTextEquals("delta"u8))
            {
                reader.Read();
                ReadDelta(ref reader);
            }
            else if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                ReadAnthropicUsage(ref reader, isFinal: true);
            }
            else if (reader.ValueTextEquals("error"u8))
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
        return meaning;
    }

    public override void LookAtWhole(ReadOnlySpan<byte> answer)
    {
        if (LookAt(default, answer) != EventMeaning.Error)
            IsWhole = true;
    }

    /// <summary>The message as a stream begins it: what was read is known, what will be said is not.</summary>
    private void ReadMessage(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("usage"u8))
            {
                reader.Read();
                ReadAnthropicUsage(ref reader, isFinal: false);
            }
            else
                SkipValue(ref reader);
        }
    }

    private void ReadDelta(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isReason = reader.ValueTextEquals("stop_reason"u8);
            reader.Read();
            if (isReason && reader.TokenType == JsonTokenType.String)
                IsWhole = true;
            reader.Skip();
        }
    }
}

/// <summary>The answer of count_tokens: one figure, and nothing to pay for.</summary>
internal sealed class CountScan : AnswerScan
{
    protected override EventMeaning LookAt(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data) => throw new JsonException("Counting tokens has no stream.");

    public override void LookAtWhole(ReadOnlySpan<byte> answer)
    {
        var reader = Begin(answer);
        reader.Skip();
        CountedInput(0);
        IsWhole = true;
    }
}
