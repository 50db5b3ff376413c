using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A request of Anthropic's messages in OpenAI's words.</summary>
internal static class MessagesToChat
{
    public static void Write(JsonElement messages, RequestScan scan, Additions additions, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("model", additions.Model);
        if (additions.OutputTokensMax is { } bound)
            json.WriteNumber(additions.BoundName, bound);
        json.WriteStartArray("messages");
        if (messages.Get("system") is { } system)
        {
            json.WriteStartObject();
            json.WriteString("role", "system");
            json.WriteString("content", TextOf(system));
            json.WriteEndObject();
        }
        foreach (var message in messages.Items("messages"))
            WriteMessage(message, json);
        json.WriteEndArray();
        json.Copy(messages, "temperature");
        json.Copy(messages, "top_p");
        json.Copy(messages, "stop_sequences", "stop");
        if (messages.Get("metadata")?.Text("user_id") is { } user)
            json.WriteString("user", user);
        WriteTools(messages, json);
        if (messages.Get("output_config")?.Get("format") is { } format && format.Get("schema") is { } schema)
        {
            json.WriteStartObject("response_format");
            json.WriteString("type", "json_schema");
            json.WriteStartObject("json_schema");
            json.WriteString("name", "answer");
            json.WriteBoolean("strict", true);
            json.WritePropertyName("schema");
            schema.WriteTo(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
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

    private static void WriteMessage(JsonElement message, Utf8JsonWriter json)
    {
        var role = message.Text("role") is "user" or "assistant" ? message.Text("role")! : throw new RequestRefusedException("A message's role is user or assistant.", "messages");
        if (message.Text("content") is { } text)
        {
            json.WriteStartObject();
            json.WriteString("role", role);
            json.WriteString("content", text);
            json.WriteEndObject();
            return;
        }
        var blocks = message.Items("content").ToList();
        // Results of tools are messages of their own there, and stand before what the user adds.
        foreach (var result in blocks.Where(block => block.Text("type") == "tool_result"))
        {
            json.WriteStartObject();
            json.WriteString("role", "tool");
            json.WriteString("tool_call_id", result.Text("tool_use_id"));
            json.WriteString("content", result.Get("content") is { } content ? TextOf(content) : "");
            json.WriteEndObject();
        }
        var parts = blocks.Where(block => block.Text("type") is not ("tool_result" or "tool_use" or "thinking" or "redacted_thinking")).ToList();
        var calls = blocks.Where(block => block.Text("type") == "tool_use").ToList();
        if (parts.Count == 0 && calls.Count == 0)
            return;
        json.WriteStartObject();
        json.WriteString("role", role);
        if (parts.Count == 0)
            json.WriteNull("content");
        else if (parts.TrueForAll(part => part.Text("type") == "text"))
            json.WriteString("content", string.Concat(parts.Select(part => part.Text("text"))));
        else
        {
            json.WriteStartArray("content");
            foreach (var part in parts)
                WritePart(part, json);
            json.WriteEndArray();
        }
        WriteCalls(calls, json);
        json.WriteEndObject();
    }

    private static void WriteCalls(List<JsonElement> calls, Utf8JsonWriter json)
    {
        if (calls.Count == 0)
            return;
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

    private static void WritePart(JsonElement part, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        switch (part.Text("type"))
        {
            case "text":
                json.WriteString("type", "text");
                json.WriteString("text", part.Text("text"));
                break;
            case "image" when part.Get("source") is { } source:
                json.WriteString("type", "image_url");
                json.WriteStartObject("image_url");
                json.WriteString("url", source.Text("url") ?? $"data:{source.Text("media_type")};base64,{source.Text("data")}");
                json.WriteEndObject();
                break;
            case var other:
                throw new RequestRefusedException($"This model takes text and pictures, not {other}.", "messages");
        }
        json.WriteEndObject();
    }

    private static void WriteTools(JsonElement messages, Utf8JsonWriter json)
    {
        var tools = messages.Items("tools").ToList();
        if (tools.Count == 0)
            return;
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            var schema = tool.Get("input_schema") ?? throw new RequestRefusedException($"The tool {tool.Text("name")} is one that Anthropic's servers run; this model is elsewhere.", "tools");
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", tool.Text("name"));
            json.Copy(tool, "description");
            json.WritePropertyName("parameters");
            schema.WriteTo(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (messages.Get("tool_choice") is not { } choice)
            return;
        if (choice.Text("type") == "tool")
        {
            json.WriteStartObject("tool_choice");
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", choice.Text("name"));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        else
        {
            json.WriteString("tool_choice", choice.Text("type") switch { "any" => "required", "none" => "none", _ => "auto" });
        }
        if (choice.Get("disable_parallel_tool_use") is { ValueKind: JsonValueKind.True })
            json.WriteBoolean("parallel_tool_calls", false);
    }

    private static string TextOf(JsonElement content) => content.ValueKind == JsonValueKind.String
        ? content.GetString()!
        : content.ValueKind == JsonValueKind.Array ? string.Join("\n\n", content.EnumerateArray().Select(block => block.Text("text")).Where(text => text is not null)) : "";
}
