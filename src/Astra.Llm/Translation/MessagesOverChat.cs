using System.Buffers;
using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A client of Anthropic's messages, answered by a provider that speaks OpenAI's chat.</summary>
internal sealed class MessagesOverChat : Conversion
{
    private readonly string _id = $"msg_{Guid.NewGuid():N}";
    private string _model = "";
    private bool _hasBegun;
    private int _block = -1;
    private string? _blockKind;
    private long _call = -1;
    private string? _reason;
    private JsonElement? _usage;

    public override Operation Upstream => Operation.Chat;

    public override void WriteRequest(ReadOnlySpan<byte> body, RequestScan scan, Additions additions, IBufferWriter<byte> output)
    {
        _model = scan.Model;
        using var json = Json.Writer(output);
        MessagesToChat.Write(Json.Parse(body), scan, additions, json);
    }

    public override void WriteAnswer(ReadOnlySpan<byte> answer, IBufferWriter<byte> output)
    {
        var chat = Json.Parse(answer);
        var choice = chat.Items("choices").FirstOrDefault();
        var message = choice.Get("message") ?? default;
        using var json = Json.Writer(output);
        json.WriteStartObject();
        json.WriteString("id", _id);
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", _model);
        json.WriteStartArray("content");
        if (message.Text("content") is { Length: > 0 } text)
        {
            json.WriteStartObject();
            json.WriteString("type", "text");
            json.WriteString("text", text);
            json.WriteEndObject();
        }
        foreach (var call in message.Items("tool_calls"))
        {
            json.WriteStartObject();
            json.WriteString("type", "tool_use");
            json.WriteString("id", call.Text("id"));
            json.WriteString("name", call.Get("function")?.Text("name"));
            json.WritePropertyName("input");
            json.WriteRawValue(Input(call.Get("function")?.Text("arguments")));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteString("stop_reason", ReasonOf(choice.Text("finish_reason")));
        json.WriteNull("stop_sequence");
        json.WritePropertyName("usage");
        WriteUsage(json, chat.Get("usage"));
        json.WriteEndObject();
    }

    public override void WriteEvent(in StreamEvent told, IBufferWriter<byte> output)
    {
        if (!told.HasData)
            return;
        var chunk = Json.Parse(told.Data);
        _usage = chunk.Get("usage") ?? _usage;
        Begin(output);
        var choice = chunk.Items("choices").FirstOrDefault();
        if (choice.Get("delta") is { } delta)
        {
            if ((delta.Text("reasoning_content") ?? delta.Text("reasoning")) is { Length: > 0 } thought)
                WriteDelta(output, "thinking", "thinking_delta", "thinking", thought);
            if (delta.Text("content") is { Length: > 0 } text)
                WriteDelta(output, "text", "text_delta", "text", text);
            foreach (var call in delta.Items("tool_calls"))
                WriteCall(output, call);
        }
        _reason = choice.Text("finish_reason") ?? _reason;
    }

    public override void WriteEnd(IBufferWriter<byte> output)
    {
        Begin(output);
        EndBlock(output);
        Json.WriteEvent(output, "message_delta", json =>
        {
            json.WriteString("type", "message_delta");
            json.WriteStartObject("delta");
            json.WriteString("stop_reason", ReasonOf(_reason));
            json.WriteNull("stop_sequence");
            json.WriteEndObject();
            json.WritePropertyName("usage");
            WriteUsage(json, _usage);
        });
        Json.WriteEvent(output, "message_stop", static json => json.WriteString("type", "message_stop"));
    }

    private void Begin(IBufferWriter<byte> output)
    {
        if (_hasBegun)
            return;
        _hasBegun = true;
        Json.WriteEvent(output, "message_start", json =>
        {
            json.WriteString("type", "message_start");
            json.WriteStartObject("message");
            json.WriteString("id", _id);
            json.WriteString("type", "message");
            json.WriteString("role", "assistant");
            json.WriteString("model", _model);
            json.WriteStartArray("content");
            json.WriteEndArray();
            json.WriteNull("stop_reason");
            json.WriteNull("stop_sequence");
            json.WritePropertyName("usage");
            // What was read is known at the end only; the figures there replace these.
            WriteUsage(json, null);
            json.WriteEndObject();
        });
    }

    private void WriteCall(IBufferWriter<byte> output, JsonElement call)
    {
        var index = call.Number("index");
        var function = call.Get("function") ?? default;
        if (_blockKind != "tool_use" || index != _call)
        {
            _call = index;
            BeginBlock(output, "tool_use", json =>
            {
                json.WriteString("id", call.Text("id") ?? $"toolu_{Guid.NewGuid():N}");
                json.WriteString("name", function.Text("name"));
                json.WriteStartObject("input");
                json.WriteEndObject();
            });
        }
        if (function.Text("arguments") is { Length: > 0 } part)
            WriteDelta(output, "tool_use", "input_json_delta", "partial_json", part);
    }

    private void WriteDelta(IBufferWriter<byte> output, string kind, string deltaKind, string member, string text)
    {
        if (_blockKind != kind)
        {
            BeginBlock(output, kind, json =>
            {
                json.WriteString(member, "");
                if (kind == "thinking")
                    json.WriteString("signature", "");
            });
        }
        Json.WriteEvent(output, "content_block_delta", json =>
        {
            json.WriteString("type", "content_block_delta");
            json.WriteNumber("index", _block);
            json.WriteStartObject("delta");
            json.WriteString("type", deltaKind);
            json.WriteString(member, text);
            json.WriteEndObject();
        });
    }

    private void BeginBlock(IBufferWriter<byte> output, string kind, Action<Utf8JsonWriter> write)
    {
        EndBlock(output);
        _blockKind = kind;
        _block++;
        Json.WriteEvent(output, "content_block_start", json =>
        {
            json.WriteString("type", "content_block_start");
            json.WriteNumber("index", _block);
            json.WriteStartObject("content_block");
            json.WriteString("type", kind);
            write(json);
            json.WriteEndObject();
        });
    }

    private void EndBlock(IBufferWriter<byte> output)
    {
        if (_blockKind is null)
            return;
        _blockKind = null;
        Json.WriteEvent(output, "content_block_stop", json =>
        {
            json.WriteString("type", "content_block_stop");
            json.WriteNumber("index", _block);
        });
    }

    private static void WriteUsage(Utf8JsonWriter json, JsonElement? usage)
    {
        var cached = usage?.Get("prompt_tokens_details")?.Number("cached_tokens") ?? 0;
        json.WriteStartObject();
        json.WriteNumber("input_tokens", Math.Max(0, (usage?.Number("prompt_tokens") ?? 0) - cached));
        json.WriteNumber("cache_read_input_tokens", cached);
        json.WriteNumber("cache_creation_input_tokens", 0);
        json.WriteNumber("output_tokens", usage?.Number("completion_tokens") ?? 0);
        json.WriteEndObject();
    }

    private static string Input(string? arguments)
    {
        try
        {
            using var parsed = JsonDocument.Parse(string.IsNullOrWhiteSpace(arguments) ? "{}" : arguments);
            return parsed.RootElement.GetRawText();
        }
        catch (JsonException)
        {
            return "{}";
        }
    }

    private static string ReasonOf(string? reason) => reason switch
    {
        "length" => "max_tokens",
        "tool_calls" or "function_call" => "tool_use",
        "content_filter" => "refusal",
        _ => "end_turn",
    };
}
