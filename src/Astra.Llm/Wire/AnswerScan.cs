using System.Text.Json;
using Astra.Llm.Money;

namespace Astra.Llm.Wire;

/// <summary>What one event of a stream is for.</summary>
internal enum EventMeaning : byte
{
    /// <summary>The provider lives; nothing was said.</summary>
    KeepAlive,

    /// <summary>The answer begins or takes shape; nothing of it is there yet.</summary>
    Lifecycle,

    /// <summary>A part of the answer.</summary>
    Content,

    /// <summary>Figures alone, which the client may not have asked for.</summary>
    UsageOnly,

    /// <summary>Nothing comes after it.</summary>
    End,

    /// <summary>The provider gives up.</summary>
    Error,
}

/// <summary>
/// Reads along with an answer in one dialect: whether anything has been said yet, whether it is whole, and what it came to.
/// It changes nothing and keeps nothing of what was said.
/// </summary>
internal abstract class AnswerScan
{
    private long? _input;
    private long? _output;

    /// <summary>The provider has said that the answer is whole; what is still missing is form.</summary>
    public bool IsWhole { get; protected set; }

    public string? Error { get; protected set; }

    /// <summary>Parts of the answer, and their bytes: what there is to go by when the provider does not get to say it.</summary>
    public long ContentCount { get; private set; }
    public long ContentBytes { get; private set; }

    /// <summary>Null until the provider has said it; zero is a value.</summary>
    public long? Output => _output;
    public long? Input => _input;
    public long CachedInput { get; private set; }
    public long CacheWrite { get; private set; }
    public long Reasoning { get; private set; }

    public bool HasUsage => _output is not null;

    /// <exception cref="JsonException">The data is not what this dialect has.</exception>
    public EventMeaning Look(in StreamEvent told)
    {
        if (!told.HasData)
            return EventMeaning.KeepAlive;
        var meaning = LookAt(told.Name, told.Data);
        if (meaning == EventMeaning.Content)
        {
            ContentCount++;
            ContentBytes += told.Data.Length;
        }
        return meaning;
    }

    protected abstract EventMeaning LookAt(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data);

    /// <summary>An answer in one piece.</summary>
    /// <exception cref="JsonException">It is not JSON, or no object.</exception>
    public abstract void LookAtWhole(ReadOnlySpan<byte> answer);

    public static AnswerScan Of(Operation operation) => operation switch
    {
        Operation.Messages => new MessagesScan(),
        Operation.CountTokens => new CountScan(),
        Operation.Responses => new ResponsesScan(),
        _ => new ChatScan(),
    };

    /// <summary>OpenAI's `usage`, in both of its forms: cached and reasoning tokens are parts of the totals there.</summary>
    protected void ReadOpenAiUsage(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("prompt_tokens"u8) || reader.ValueTextEquals("input_tokens"u8))
                _input = Count(ref reader);
            else if (reader.ValueTextEquals("completion_tokens"u8) || reader.ValueTextEquals("output_tokens"u8))
                _output = Count(ref reader);
            else if (reader.ValueTextEquals("prompt_tokens_details"u8) || reader.ValueTextEquals("input_tokens_details"u8))
                CachedInput = ReadInner(ref reader, "cached_tokens"u8) ?? CachedInput;
            else if (reader.ValueTextEquals("completion_tokens_details"u8) || reader.ValueTextEquals("output_tokens_details"u8))
                Reasoning = ReadInner(ref reader, "reasoning_tokens"u8) ?? Reasoning;
            else
                SkipValue(ref reader);
        }
        // Embeddings have no output, and say nothing of it.
        if (_input is not null)
            _output ??= 0;
    }

    /// <summary>Anthropic's: the three kinds of input are apart there. What comes later is the newer figure.</summary>
    protected void ReadAnthropicUsage(ref Utf8JsonReader reader, bool isFinal)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("input_tokens"u8))
                _input = Count(ref reader) ?? _input;
            else if (reader.ValueTextEquals("cache_read_input_tokens"u8))
                CachedInput = Count(ref reader) ?? CachedInput;
            else if (reader.ValueTextEquals("cache_creation_input_tokens"u8))
                CacheWrite = Count(ref reader) ?? CacheWrite;
            else if (reader.ValueTextEquals("output_tokens"u8))
            {
                var output = Count(ref reader);
                // The first event of a stream has a figure of what has been said before anything was.
                if (isFinal)
                    _output = output ?? _output;
            }
            else
                SkipValue(ref reader);
        }
    }

    protected void CountedInput(long tokens) => (_input, _output) = (tokens, 0);

    /// <summary>What the provider said, as disjoint parts; null where it did not get to say it.</summary>
    public TokenUsage? Usage(bool isAnthropic) => (_input, _output) is ({ } input, { } output)
        ? new TokenUsage(isAnthropic ? input : Math.Max(0, input - CachedInput), CachedInput, CacheWrite, output, Math.Min(Reasoning, output))
        : null;

    protected static Utf8JsonReader Begin(ReadOnlySpan<byte> data)
    {
        var reader = new Utf8JsonReader(data, new JsonReaderOptions { MaxDepth = RequestScan.DepthMax });
        return reader.Read() && reader.TokenType == JsonTokenType.StartObject ? reader : throw new JsonException("An object was expected.");
    }

    /// <summary>The message of an error, in whichever of the forms there are.</summary>
    protected static string ReadError(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString()!;
        var message = "";
        if (reader.TokenType != JsonTokenType.StartObject)
            return message;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isMessage = reader.ValueTextEquals("message"u8);
            reader.Read();
            if (isMessage && reader.TokenType == JsonTokenType.String)
                message = reader.GetString()!;
            reader.Skip();
        }
        return message;
    }

    protected static void SkipValue(ref Utf8JsonReader reader)
    {
        reader.Read();
        reader.Skip();
    }

    private static long? ReadInner(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return null;
        long? found = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals(name))
                found = Count(ref reader);
            else
                SkipValue(ref reader);
        }
        return found;
    }

    private static long? Count(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var count) && count >= 0)
            return count;
        reader.Skip();
        return null;
    }
}
