using System.Buffers;
using System.Text.Json;
using Astra.Llm.Translation;
using Astra.Llm.Wire;

namespace Astra.Llm.Caching;

/// <summary>An answer in one piece as the stream that its client asked for.</summary>
internal static class StreamOfWhole
{
    public static byte[] Write(Operation operation, ReadOnlySpan<byte> whole, bool withUsage)
    {
        using var output = new PooledBuffer(whole.Length * 2 + 1024);
        var answer = Json.Parse(whole);
        switch (operation)
        {
            case Operation.Messages:
                WriteMessage(answer, output);
                break;
            case Operation.Responses:
                new ResponseEvents(answer, output).Write();
                break;
            default:
                WriteChat(answer, withUsage, output);
                break;
        }
        return output.Span.ToArray();
    }

    private static void WriteChat(JsonElement answer, bool withUsage, IBufferWriter<byte> output)
    {
        foreach (var choice in answer.Items("choices"))
        {
            WriteChunk(answer, output, json =>
            {
                json.WriteStartObject();
                json.WriteNumber("index", choice.Number("index"));
                json.WritePropertyName("delta");
                WriteDelta(json, choice.Get("message") ?? default);
                json.Copy(choice, "logprobs");
                json.WriteNull("finish_reason");
                json.WriteEndObject();
            });
        }
        foreach (var choice in answer.Items("choices"))
        {
            WriteChunk(answer, output, json =>
            {
                json.WriteStartObject();
                json.WriteNumber("index", choice.Number("index"));
                json.WriteStartObject("delta");
                json.WriteEndObject();
                json.WriteString("finish_reason", choice.Text("finish_reason"));
                json.WriteEndObject();
            });
        }
        if (withUsage)
            WriteChunk(answer, output, static _ => { }, withUsage: true);
        output.Write("data: [DONE]\n\n"u8);
    }

    private static void WriteChunk(JsonElement answer, IBufferWriter<byte> output, Action<Utf8JsonWriter> writeChoices, bool withUsage = false) => Json.WriteEvent(output, null, json =>
    {
        foreach (var member in answer.EnumerateObject())
        {
            if (member.Name == "object")
                json.WriteString("object", "chat.completion.chunk");
            else if (member.Name is not ("choices" or "usage"))
                member.WriteTo(json);
        }
        json.WriteStartArray("choices");
        writeChoices(json);
        json.WriteEndArray();
        if (withUsage)
            json.Copy(answer, "usage");
    });

    /// <summary>The whole message is its only delta; calls of tools have their places in a stream.</summary>
    private static void WriteDelta(Utf8JsonWriter json, JsonElement message)
    {
        json.WriteStartObject();
        foreach (var member in message.ValueKind == JsonValueKind.Object ? message.EnumerateObject() : default)
        {
            if (member.Name != "tool_calls" || member.Value.ValueKind != JsonValueKind.Array)
            {
                member.WriteTo(json);
                continue;
            }
            json.WriteStartArray("tool_calls");
            var index = 0;
            foreach (var call in member.Value.EnumerateArray())
            {
                json.WriteStartObject();
                json.WriteNumber("index", index++);
                foreach (var part in call.EnumerateObject())
                    if (part.Name != "index")
                        part.WriteTo(json);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WriteMessage(JsonElement message, IBufferWriter<byte> output)
    {
        Json.WriteEvent(output, "message_start", json =>
        {
            json.WriteString("type", "message_start");
            json.WriteStartObject("message");
            foreach (var member in message.EnumerateObject())
            {
                if (member.Name == "content")
                {
                    json.WriteStartArray("content");
                    json.WriteEndArray();
                }
                else if (member.Name is "stop_reason" or "stop_sequence")
                    json.WriteNull(member.Name);
                else
                    member.WriteTo(json);
            }
            json.WriteEndObject();
        });
        var index = 0;
        foreach (var block in message.Items("content"))
            WriteBlock(output, block, index++);
        Json.WriteEvent(output, "message_delta", json =>
        {
            json.WriteString("type", "message_delta");
            json.WriteStartObject("delta");
            json.WriteString("stop_reason", message.Text("stop_reason"));
            json.WriteString("stop_sequence", message.Text("stop_sequence"));
            json.WriteEndObject();
            json.Copy(message, "usage");
        });
        Json.WriteEvent(output, "message_stop", static json => json.WriteString("type", "message_stop"));
    }

    private static void WriteBlock(IBufferWriter<byte> output, JsonElement block, int index)
    {
        var kind = block.Text("type");
        // What arrives in deltas begins empty; blocks of other kinds arrive whole.
        Json.WriteEvent(output, "content_block_start", json =>
        {
            json.WriteString("type", "content_block_start");
            json.WriteNumber("index", index);
            json.WriteStartObject("content_block");
            foreach (var member in block.EnumerateObject())
            {
                if ((kind, member.Name) is ("text", "text") or ("thinking", "thinking") or ("thinking", "signature"))
                    json.WriteString(member.Name, "");
                else if (HasInput(kind) && member.Name == "input")
                {
                    json.WriteStartObject("input");
                    json.WriteEndObject();
                }
                else if ((kind, member.Name) is not ("text", "citations"))
                    member.WriteTo(json);
            }
            json.WriteEndObject();
        });
        if (kind == "text")
        {
            WriteDelta(output, index, "text_delta", "text", block.Text("text") ?? "");
            foreach (var citation in block.Items("citations"))
                WriteDelta(output, index, "citations_delta", json =>
                {
                    json.WritePropertyName("citation");
                    citation.WriteTo(json);
                });
        }
        else if (kind == "thinking")
        {
            WriteDelta(output, index, "thinking_delta", "thinking", block.Text("thinking") ?? "");
            if (block.Text("signature") is { } signature)
                WriteDelta(output, index, "signature_delta", "signature", signature);
        }
        else if (HasInput(kind))
        {
            WriteDelta(output, index, "input_json_delta", "partial_json", block.Get("input")?.GetRawText() ?? "{}");
        }
        Json.WriteEvent(output, "content_block_stop", json =>
        {
            json.WriteString("type", "content_block_stop");
            json.WriteNumber("index", index);
        });
    }

    private static bool HasInput(string? kind) => kind is "tool_use" or "server_tool_use";

    private static void WriteDelta(IBufferWriter<byte> output, int index, string kind, string member, string text) =>
        WriteDelta(output, index, kind, json => json.WriteString(member, text));

    private static void WriteDelta(IBufferWriter<byte> output, int index, string kind, Action<Utf8JsonWriter> write) => Json.WriteEvent(output, "content_block_delta", json =>
    {
        json.WriteString("type", "content_block_delta");
        json.WriteNumber("index", index);
        json.WriteStartObject("delta");
        json.WriteString("type", kind);
        write(json);
        json.WriteEndObject();
    });
}
