using System.Buffers;
using System.Text;
using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A client of OpenAI's responses, answered by a provider that speaks its chat only.</summary>
internal sealed class ResponsesOverChat(RequestScan scan) : Conversion
{
    private readonly string _id = $"resp_{Guid.NewGuid():N}";
    private readonly long _created = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
    private readonly List<OutputItem> _items = [];
    private readonly Dictionary<long, OutputItem> _calls = [];
    private OutputItem? _text;
    private int _sequence;
    private bool _hasBegun;
    private string? _reason;
    private JsonElement? _usage;

    public override Operation Upstream => Operation.Chat;

    public override void WriteRequest(ReadOnlySpan<byte> body, RequestScan scan, Additions additions, IBufferWriter<byte> output)
    {
        using var json = Json.Writer(output);
        ResponsesToChat.Write(Json.Parse(body), scan, additions, json);
    }

    public override void WriteAnswer(ReadOnlySpan<byte> answer, IBufferWriter<byte> output)
    {
        var chat = Json.Parse(answer);
        var choice = chat.Items("choices").FirstOrDefault();
        var message = choice.Get("message") ?? default;
        if (message.Text("content") is { } text)
            NewItem(null).Text.Append(text);
        foreach (var call in message.Items("tool_calls"))
            NewItem(call).Text.Append(call.Get("function")?.Text("arguments"));
        (_reason, _usage) = (choice.Text("finish_reason"), chat.Get("usage"));
        using var json = Json.Writer(output);
        json.WriteStartObject();
        WriteResponse(json, StatusAtEnd, isWhole: true);
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
        _reason = choice.Text("finish_reason") ?? _reason;
        if (choice.Get("delta") is not { } delta)
            return;
        if (delta.Text("content") is { Length: > 0 } text)
        {
            if (_text is null)
            {
                _text = NewItem(null);
                WriteAdded(output, _text);
            }
            Append(output, _text, text);
        }
        foreach (var call in delta.Items("tool_calls"))
        {
            var index = call.Number("index");
            if (!_calls.TryGetValue(index, out var item))
            {
                _calls[index] = item = NewItem(call);
                WriteAdded(output, item);
            }
            if (call.Get("function")?.Text("arguments") is { Length: > 0 } part)
                Append(output, item, part);
        }
    }

    public override void WriteEnd(IBufferWriter<byte> output)
    {
        Begin(output);
        foreach (var item in _items)
            WriteDone(output, item);
        Write(output, StatusAtEnd == "completed" ? "response.completed" : "response.incomplete", json =>
        {
            json.WriteStartObject("response");
            WriteResponse(json, StatusAtEnd, isWhole: true);
            json.WriteEndObject();
        });
    }

    private string StatusAtEnd => _reason is "length" or "content_filter" ? "incomplete" : "completed";

    private void Begin(IBufferWriter<byte> output)
    {
        if (_hasBegun)
            return;
        _hasBegun = true;
        foreach (var name in (string[])["response.created", "response.in_progress"])
            Write(output, name, json =>
            {
                json.WriteStartObject("response");
                WriteResponse(json, "in_progress", isWhole: false);
                json.WriteEndObject();
            });
    }

    private OutputItem NewItem(JsonElement? call)
    {
        var item = new OutputItem(
            _items.Count, call is null ? $"msg_{Guid.NewGuid():N}" : $"fc_{Guid.NewGuid():N}",
            call?.Text("id"), call?.Get("function")?.Text("name"), IsCall: call is not null);
        _items.Add(item);
        return item;
    }

    private void WriteAdded(IBufferWriter<byte> output, OutputItem item)
    {
        Write(output, "response.output_item.added", json =>
        {
            json.WriteNumber("output_index", item.Index);
            json.WritePropertyName("item");
            WriteItem(json, item, isDone: false);
        });
        if (!item.IsCall)
            Write(output, "response.content_part.added", json =>
            {
                WriteWhere(json, item);
                json.WritePropertyName("part");
                WritePart(json, "");
            });
    }

    private void Append(IBufferWriter<byte> output, OutputItem item, string part)
    {
        item.Text.Append(part);
        Write(output, item.IsCall ? "response.function_call_arguments.delta" : "response.output_text.delta", json =>
        {
            WriteWhere(json, item);
            json.WriteString("delta", part);
            if (!item.IsCall)
                WriteEmpty(json, "logprobs");
        });
    }

    private void WriteDone(IBufferWriter<byte> output, OutputItem item)
    {
        Write(output, item.IsCall ? "response.function_call_arguments.done" : "response.output_text.done", json =>
        {
            WriteWhere(json, item);
            json.WriteString(item.IsCall ? "arguments" : "text", item.Text.ToString());
            if (item.IsCall)
                json.WriteString("name", item.Name);
            else
                WriteEmpty(json, "logprobs");
        });
        if (!item.IsCall)
            Write(output, "response.content_part.done", json =>
            {
                WriteWhere(json, item);
                json.WritePropertyName("part");
                WritePart(json, item.Text.ToString());
            });
        Write(output, "response.output_item.done", json =>
        {
            json.WriteNumber("output_index", item.Index);
            json.WritePropertyName("item");
            WriteItem(json, item, isDone: true);
        });
    }

    private void Write(IBufferWriter<byte> output, string name, Action<Utf8JsonWriter> write) => Json.WriteEvent(output, name, json =>
    {
        json.WriteString("type", name);
        json.WriteNumber("sequence_number", _sequence++);
        write(json);
    });

    private static void WriteWhere(Utf8JsonWriter json, OutputItem item)
    {
        json.WriteString("item_id", item.Id);
        json.WriteNumber("output_index", item.Index);
        if (!item.IsCall)
            json.WriteNumber("content_index", 0);
    }

    private static void WriteItem(Utf8JsonWriter json, OutputItem item, bool isDone)
    {
        json.WriteStartObject();
        json.WriteString("id", item.Id);
        json.WriteString("type", item.IsCall ? "function_call" : "message");
        json.WriteString("status", isDone ? "completed" : "in_progress");
        if (item.IsCall)
        {
            json.WriteString("call_id", item.CallId);
            json.WriteString("name", item.Name);
            json.WriteString("arguments", isDone ? item.Text.ToString() : "");
        }
        else
        {
            json.WriteString("role", "assistant");
            json.WriteStartArray("content");
            if (isDone)
                WritePart(json, item.Text.ToString());
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WritePart(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "output_text");
        json.WriteString("text", text);
        WriteEmpty(json, "annotations");
        WriteEmpty(json, "logprobs");
        json.WriteEndObject();
    }

    private void WriteResponse(Utf8JsonWriter json, string status, bool isWhole)
    {
        json.WriteString("id", _id);
        json.WriteString("object", "response");
        json.WriteNumber("created_at", _created);
        json.WriteString("status", status);
        json.WriteString("model", scan.Model);
        json.WriteNull("error");
        if (status == "incomplete")
        {
            json.WriteStartObject("incomplete_details");
            json.WriteString("reason", _reason == "length" ? "max_output_tokens" : "content_filter");
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details");
        }
        json.WriteNull("instructions");
        json.WriteStartObject("metadata");
        json.WriteEndObject();
        json.WriteBoolean("parallel_tool_calls", true);
        json.WriteString("tool_choice", "auto");
        WriteEmpty(json, "tools");
        json.WriteStartArray("output");
        if (isWhole)
            foreach (var item in _items)
                WriteItem(json, item, isDone: true);
        json.WriteEndArray();
        if (isWhole && _usage is { } usage)
            WriteUsage(json, usage);
        else
            json.WriteNull("usage");
    }

    private static void WriteUsage(Utf8JsonWriter json, JsonElement usage)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", usage.Number("prompt_tokens"));
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("cached_tokens", usage.Get("prompt_tokens_details")?.Number("cached_tokens") ?? 0);
        json.WriteEndObject();
        json.WriteNumber("output_tokens", usage.Number("completion_tokens"));
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("reasoning_tokens", usage.Get("completion_tokens_details")?.Number("reasoning_tokens") ?? 0);
        json.WriteEndObject();
        json.WriteNumber("total_tokens", usage.Number("prompt_tokens") + usage.Number("completion_tokens"));
        json.WriteEndObject();
    }

    private static void WriteEmpty(Utf8JsonWriter json, string name)
    {
        json.WriteStartArray(name);
        json.WriteEndArray();
    }

    private sealed record OutputItem(int Index, string Id, string? CallId, string? Name, bool IsCall)
    {
        public StringBuilder Text { get; } = new();
    }
}
