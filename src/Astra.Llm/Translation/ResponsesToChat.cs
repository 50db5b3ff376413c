using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A request of OpenAI's responses in the words of its chat.</summary>
internal static class ResponsesToChat
{
    public static void Write(JsonElement request, RequestScan scan, Additions additions, Utf8JsonWriter json)
    {
        if (request.Get("previous_response_id") is not null || request.Get("conversation") is not null)
            throw new RequestRefusedException("Answers are not kept here for this model; send the whole conversation as input.", "previous_response_id");
        json.WriteStartObject();
        json.WriteString("model", additions.Model);
        json.WriteStartArray("messages");
        if (request.Text("instructions") is { } instructions)
            WriteMessage(json, "system", instructions);
        if (request.Text("input") is { } text)
            WriteMessage(json, "user", text);
        else
            WriteItems(request.Items("input"), json);
        json.WriteEndArray();
        if (additions.OutputTokensMax is { } bound)
            json.WriteNumber(additions.BoundName, bound);
        foreach (var name in (string[])["temperature", "top_p", "user", "parallel_tool_calls"])
            json.Copy(request, name);
        if (request.Get("reasoning")?.Text("effort") is { } effort)
            json.WriteString("reasoning_effort", effort);
        WriteFormat(request, json);
        WriteTools(request, json);
        if (scan.IsStream)
        {
            json.WriteBoolean("stream", true);
            if (additions.IncludeUsage)
            {
                json.WriteStartObject("stream_options");
                json.WriteBoolean("include_usage", true);
                json.WriteEndObject();
            }
        }
        json.WriteEndObject();
    }

    private static void WriteItems(IEnumerable<JsonElement> items, Utf8JsonWriter json)
    {
        foreach (var item in items)
        {
            switch (item.Text("type"))
            {
                case "function_call":
                    json.WriteStartObject();
                    json.WriteString("role", "assistant");
                    json.WriteNull("content");
                    json.WriteStartArray("tool_calls");
                    json.WriteStartObject();
                    json.WriteString("id", item.Text("call_id"));
                    json.WriteString("type", "function");
                    json.WriteStartObject("function");
                    json.Copy(item, "name");
                    json.Copy(item, "arguments");
                    json.WriteEndObject();
                    json.WriteEndObject();
                    json.WriteEndArray();
                    json.WriteEndObject();
                    break;
                case "function_call_output":
                    json.WriteStartObject();
                    json.WriteString("role", "tool");
                    json.WriteString("tool_call_id", item.Text("call_id"));
                    json.WriteString("content", item.Text("output") ?? string.Concat(item.Items("output").Select(part => part.Text("text"))));
                    json.WriteEndObject();
                    break;
                case "message" or null:
                    WriteMessageItem(item, json);
                    break;
                case "reasoning":
                    break; // The provider's own notes, of no use to another.
                case var other:
                    throw new RequestRefusedException($"This model takes messages and calls of functions as input, not {other}.", "input");
            }
        }
    }

    private static void WriteMessageItem(JsonElement item, Utf8JsonWriter json)
    {
        var role = item.Text("role") is "developer" ? "system" : item.Text("role") ?? "user";
        if (item.Text("content") is { } text)
        {
            WriteMessage(json, role, text);
            return;
        }
        json.WriteStartObject();
        json.WriteString("role", role);
        var parts = item.Items("content").ToList();
        if (parts.TrueForAll(part => part.Text("type") is "input_text" or "output_text" or "text" or "refusal"))
        {
            json.WriteString("content", string.Concat(parts.Select(part => part.Text("text") ?? part.Text("refusal"))));
        }
        else
        {
            json.WriteStartArray("content");
            foreach (var part in parts)
            {
                json.WriteStartObject();
                if (part.Text("type") == "input_image" && part.Text("image_url") is { } url)
                {
                    json.WriteString("type", "image_url");
                    json.WriteStartObject("image_url");
                    json.WriteString("url", url);
                    json.WriteEndObject();
                }
                else if (part.Text("text") is { } said)
                {
                    json.WriteString("type", "text");
                    json.WriteString("text", said);
                }
                else
                {
                    throw new RequestRefusedException($"This model takes text and pictures, not {part.Text("type")}.", "input");
                }
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter json, string role, string text)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WriteString("content", text);
        json.WriteEndObject();
    }

    private static void WriteFormat(JsonElement request, Utf8JsonWriter json)
    {
        if (request.Get("text")?.Get("format") is not { } format || format.Text("type") is "text" or null)
            return;
        json.WriteStartObject("response_format");
        json.WriteString("type", format.Text("type"));
        if (format.Text("type") == "json_schema")
        {
            json.WriteStartObject("json_schema");
            foreach (var name in (string[])["name", "description", "schema", "strict"])
                json.Copy(format, name);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteTools(JsonElement request, Utf8JsonWriter json)
    {
        var tools = request.Items("tools").ToList();
        if (tools.Count > 0)
        {
            json.WriteStartArray("tools");
            foreach (var tool in tools)
            {
                if (tool.Text("type") != "function")
                    throw new RequestRefusedException($"{tool.Text("type")} is a tool that OpenAI's servers run; this model is elsewhere.", "tools");
                json.WriteStartObject();
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                foreach (var name in (string[])["name", "description", "parameters", "strict"])
                    json.Copy(tool, name);
                json.WriteEndObject();
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        if (request.Get("tool_choice") is not { } choice)
            return;
        json.WritePropertyName("tool_choice");
        if (choice.Text("name") is { } named)
        {
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", named);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        else
        {
            choice.WriteTo(json);
        }
    }
}
