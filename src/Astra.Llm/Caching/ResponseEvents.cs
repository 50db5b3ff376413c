using System.Buffers;
using System.Text.Json;
using Astra.Llm.Translation;

namespace Astra.Llm.Caching;

/// <summary>One of OpenAI's responses as the events that lead to it.</summary>
internal sealed class ResponseEvents(JsonElement response, IBufferWriter<byte> output)
{
    private int _sequence;

    public void Write()
    {
        foreach (var name in (string[])["response.created", "response.in_progress"])
            WriteEvent(name, json => WriteResponse(json, isWhole: false));
        var index = 0;
        foreach (var item in response.Items("output"))
            WriteItem(item, index++);
        WriteEvent(response.Text("status") == "incomplete" ? "response.incomplete" : "response.completed", json => WriteResponse(json, isWhole: true));
    }

    private void WriteResponse(Utf8JsonWriter json, bool isWhole)
    {
        json.WritePropertyName("response");
        if (isWhole)
        {
            response.WriteTo(json);
            return;
        }
        json.WriteStartObject();
        foreach (var member in response.EnumerateObject())
        {
            if (member.Name == "status")
                json.WriteString("status", "in_progress");
            else if (member.Name == "usage")
                json.WriteNull("usage");
            else if (member.Name == "output")
            {
                json.WriteStartArray("output");
                json.WriteEndArray();
            }
            else
                member.WriteTo(json);
        }
        json.WriteEndObject();
    }

    private void WriteItem(JsonElement item, int index)
    {
        WriteEvent("response.output_item.added", json =>
        {
            json.WriteNumber("output_index", index);
            json.WritePropertyName("item");
            WriteBegun(json, item);
        });
        if (item.Text("type") == "message")
        {
            var part = 0;
            foreach (var content in item.Items("content"))
                WritePart(item, content, index, part++);
        }
        else if (item.Text("type") == "function_call")
        {
            var arguments = item.Text("arguments") ?? "";
            WriteEvent("response.function_call_arguments.delta", json =>
            {
                WriteWhere(json, item, index);
                json.WriteString("delta", arguments);
            });
            WriteEvent("response.function_call_arguments.done", json =>
            {
                WriteWhere(json, item, index);
                json.WriteString("arguments", arguments);
                json.WriteString("name", item.Text("name"));
            });
        }
        WriteEvent("response.output_item.done", json =>
        {
            json.WriteNumber("output_index", index);
            json.WritePropertyName("item");
            item.WriteTo(json);
        });
    }

    private void WritePart(JsonElement item, JsonElement content, int index, int part)
    {
        var (kind, member) = content.Text("type") == "refusal" ? ("response.refusal", "refusal") : ("response.output_text", "text");
        var text = content.Text(member) ?? "";
        WriteEvent("response.content_part.added", json =>
        {
            WriteWhere(json, item, index, part);
            json.WriteStartObject("part");
            foreach (var each in content.EnumerateObject())
            {
                if (each.Name == member)
                    json.WriteString(member, "");
                else
                    each.WriteTo(json);
            }
            json.WriteEndObject();
        });
        WriteEvent($"{kind}.delta", json =>
        {
            WriteWhere(json, item, index, part);
            json.WriteString("delta", text);
        });
        WriteEvent($"{kind}.done", json =>
        {
            WriteWhere(json, item, index, part);
            json.WriteString(member, text);
        });
        WriteEvent("response.content_part.done", json =>
        {
            WriteWhere(json, item, index, part);
            json.WritePropertyName("part");
            content.WriteTo(json);
        });
    }

    private static void WriteBegun(Utf8JsonWriter json, JsonElement item)
    {
        json.WriteStartObject();
        foreach (var member in item.EnumerateObject())
        {
            if (member.Name == "status")
                json.WriteString("status", "in_progress");
            else if (member.Name == "arguments")
                json.WriteString("arguments", "");
            else if (member.Name == "content" && item.Text("type") == "message")
            {
                json.WriteStartArray("content");
                json.WriteEndArray();
            }
            else
                member.WriteTo(json);
        }
        json.WriteEndObject();
    }

    private static void WriteWhere(Utf8JsonWriter json, JsonElement item, int index, int? part = null)
    {
        json.WriteString("item_id", item.Text("id"));
        json.WriteNumber("output_index", index);
        if (part is { } place)
            json.WriteNumber("content_index", place);
    }

    private void WriteEvent(string name, Action<Utf8JsonWriter> write) => Json.WriteEvent(output, name, json =>
    {
        json.WriteString("type", name);
        json.WriteNumber("sequence_number", _sequence++);
        write(json);
    });
}
