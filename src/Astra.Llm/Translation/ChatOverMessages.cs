using System.Buffers;
using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A client of OpenAI's chat, answered by a provider that speaks Anthropic's messages.</summary>
internal sealed class ChatOverMessages(RequestScan scan) : Conversion
{
    private readonly string _id = $"chatcmpl-{Guid.NewGuid():N}";
    private readonly long _created = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Which call of a tool each block of the answer is; text is none.</summary>
    private readonly Dictionary<long, int> _calls = [];

    private JsonElement? _inputUsage;
    private JsonElement? _outputUsage;

    public override Operation Upstream => Operation.Messages;

    public override void WriteRequest(ReadOnlySpan<byte> body, RequestScan scan, Additions additions, IBufferWriter<byte> output)
    {
        if (scan.Count > 1)
            throw new RequestRefusedException("This model gives one answer at a time; n must be 1.", "n");
        using var json = Json.Writer(output);
        ChatToMessages.Write(Json.Parse(body), scan, additions, json);
    }

    public override void WriteAnswer(ReadOnlySpan<byte> answer, IBufferWriter<byte> output)
    {
        var message = Json.Parse(answer);
        using var json = Json.Writer(output);
        json.WriteStartObject();
        WriteHead(json, "chat.completion");
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        var blocks = message.Items("content").ToList();
        var texts = blocks.Where(block => block.Text("type") == "text").Select(block => block.Text("text")).ToList();
        if (texts.Count > 0)
            json.WriteString("content", string.Concat(texts));
        else
            json.WriteNull("content");
        json.WriteNull("refusal");
        var calls = blocks.Where(block => block.Text("type") == "tool_use").ToList();
        if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            foreach (var call in calls)
            {
                json.WriteStartObject();
                json.WriteString("id", call.Text("id"));
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                json.WriteString("name", call.Text("name"));
                json.WriteString("arguments", call.Get("input")?.GetRawText() ?? "{}");
                json.WriteEndObject();
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
        json.WriteNull("logprobs");
        json.WriteString("finish_reason", ReasonOf(message.Text("stop_reason")));
        json.WriteEndObject();
        json.WriteEndArray();
        if (message.Get("usage") is { } usage)
            WriteUsage(json, usage, usage);
        json.WriteEndObject();
    }

    public override void WriteEvent(in StreamEvent told, IBufferWriter<byte> output)
    {
        if (!told.HasData)
            return;
        var data = Json.Parse(told.Data);
        switch (data.Text("type"))
        {
            case "message_start":
                _inputUsage = data.Get("message")?.Get("usage");
                WriteDelta(output, json =>
                {
                    json.WriteString("role", "assistant");
                    json.WriteString("content", "");
                });
                break;
            case "content_block_start" when data.Get("content_block") is { } block && block.Text("type") == "tool_use":
                var call = _calls.Count;
                _calls[data.Number("index")] = call;
                WriteCall(output, call, json =>
                {
                    json.WriteString("id", block.Text("id"));
                    json.WriteString("type", "function");
                    json.WriteStartObject("function");
                    json.WriteString("name", block.Text("name"));
                    json.WriteString("arguments", "");
                    json.WriteEndObject();
                });
                break;
            case "content_block_delta" when data.Get("delta") is { } delta:
                WriteBlockDelta(output, delta, data.Number("index"));
                break;
            case "message_delta":
                _outputUsage = data.Get("usage") ?? _outputUsage;
                if (data.Get("delta")?.Text("stop_reason") is { } reason)
                    WriteDelta(output, static _ => { }, ReasonOf(reason));
                break;
        }
    }

    public override void WriteEnd(IBufferWriter<byte> output)
    {
        if (scan.WantsUsage && (_outputUsage ?? _inputUsage) is { } usage)
        {
            Json.WriteEvent(output, null, json =>
            {
                WriteHead(json, "chat.completion.chunk");
                json.WriteStartArray("choices");
                json.WriteEndArray();
                WriteUsage(json, _inputUsage ?? usage, usage);
            });
        }
        output.Write("data: [DONE]\n\n"u8);
    }

    private void WriteBlockDelta(IBufferWriter<byte> output, JsonElement delta, long index)
    {
        switch (delta.Text("type"))
        {
            case "text_delta":
                WriteDelta(output, json => json.WriteString("content", delta.Text("text")));
                break;
            case "thinking_delta":
                // No word of OpenAI's own; it is the one that local servers and clients agree on.
                WriteDelta(output, json => json.WriteString("reasoning_content", delta.Text("thinking")));
                break;
            case "input_json_delta" when _calls.TryGetValue(index, out var call):
                WriteCall(output, call, json =>
                {
                    json.WriteStartObject("function");
                    json.WriteString("arguments", delta.Text("partial_json"));
                    json.WriteEndObject();
                });
                break;
        }
    }

    private void WriteCall(IBufferWriter<byte> output, int call, Action<Utf8JsonWriter> write) => WriteDelta(output, json =>
    {
        json.WriteStartArray("tool_calls");
        json.WriteStartObject();
        json.WriteNumber("index", call);
        write(json);
        json.WriteEndObject();
        json.WriteEndArray();
    });

    private void WriteDelta(IBufferWriter<byte> output, Action<Utf8JsonWriter> write, string? reason = null) => Json.WriteEvent(output, null, json =>
    {
        WriteHead(json, "chat.completion.chunk");
        json.WriteStartArray("choices");
        json.WriteStartObject();
        json.WriteNumber("index", 0);
        json.WriteStartObject("delta");
        write(json);
        json.WriteEndObject();
        json.WriteString("finish_reason", reason);
        json.WriteEndObject();
        json.WriteEndArray();
    });

    private void WriteHead(Utf8JsonWriter json, string kind)
    {
        json.WriteString("id", _id);
        json.WriteString("object", kind);
        json.WriteNumber("created", _created);
        json.WriteString("model", scan.Model);
    }

    /// <summary>The three kinds of input are parts of one figure here.</summary>
    private static void WriteUsage(Utf8JsonWriter json, JsonElement input, JsonElement output)
    {
        var cached = input.Number("cache_read_input_tokens");
        var prompt = input.Number("input_tokens") + cached + input.Number("cache_creation_input_tokens");
        var completion = output.Number("output_tokens");
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", prompt);
        json.WriteNumber("completion_tokens", completion);
        json.WriteNumber("total_tokens", prompt + completion);
        json.WriteStartObject("prompt_tokens_details");
        json.WriteNumber("cached_tokens", cached);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string ReasonOf(string? reason) => reason switch
    {
        "max_tokens" or "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    };
}
