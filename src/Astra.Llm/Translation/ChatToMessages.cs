using System.Text.Json;
using Astra.Llm.Wire;

namespace Astra.Llm.Translation;

/// <summary>A request of OpenAI's chat in Anthropic's words.</summary>
internal static class ChatToMessages
{
    public static void Write(JsonElement chat, RequestScan scan, Additions additions, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("model", additions.Model);
        json.WriteNumber("max_tokens", additions.OutputTokensMax ?? additions.ModelTokensMax);
        var messages = chat.Items("messages").ToList();
        var system = string.Join("\n\n", messages.Where(IsSystem).Select(TextOf));
        if (system.Length > 0)
            json.WriteString("system", system);
        json.WriteStartArray("messages");
        WriteMessages(messages.Where(message => !IsSystem(message)), json);
        json.WriteEndArray();
        if (chat.Get("temperature") is { ValueKind: JsonValueKind.Number } temperature)
            json.WriteNumber("temperature", Math.Min(1, temperature.GetDouble())); // The scale ends at 1 there.
        json.Copy(chat, "top_p");
        if (chat.Get("stop") is { } stop)
        {
            json.WriteStartArray("stop_sequences");
            foreach (var word in stop.ValueKind == JsonValueKind.Array ? stop.EnumerateArray().ToArray() : [stop])
                word.WriteTo(json);
            json.WriteEndArray();
        }
        if (chat.Text("user") is { } user)
        {
            json.WriteStartObject("metadata");
            json.WriteString("user_id", user);
            json.WriteEndObject();
        }
        WriteTools(chat, json);
        WriteFormat(chat, json);
        if (scan.IsStream)
            json.WriteBoolean("stream", true);
        json.WriteEndObject();
    }

    /// <summary>Turns alternate there, and results of tools are the user's: what follows each other on one side is one message.</summary>
    private static void WriteMessages(IEnumerable<JsonElement> messages, Utf8JsonWriter json)
    {
        string? open = null;
        foreach (var message in messages)
        {
            var role = message.Text("role") switch
            {
                "assistant" => "assistant",
                "user" or "tool" or "function" => "user",
                var other => throw new RequestRefusedException($"A message has no role that is known here: {other ?? "none"}.", "messages"),
            };
            if (role != open)
            {
                if (open is not null)
                    End(json);
                open = role;
                json.WriteStartObject();
                json.WriteString("role", role);
                json.WriteStartArray("content");
            }
            if (message.Text("role") is "tool" or "function")
                WriteResult(message, json);
            else
                WriteContent(message, json);
        }
        if (open is not null)
            End(json);

        static void End(Utf8JsonWriter json)
        {
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }

    private static void WriteContent(JsonElement message, Utf8JsonWriter json)
    {
        if (message.Text("content") is { } text)
        {
            // An empty block is refused there.
            if (text.Length > 0)
                WriteText(text, json);
        }
        else
        {
            foreach (var part in message.Items("content"))
                WritePart(part, json);
        }
        foreach (var call in message.Items("tool_calls"))
        {
            var function = call.Get("function") ?? default;
            json.WriteStartObject();
            json.WriteString("type", "tool_use");
            json.WriteString("id", call.Text("id"));
            json.WriteString("name", function.Text("name"));
            json.WritePropertyName("input");
            WriteArguments(function.Text("arguments"), json);
            json.WriteEndObject();
        }
    }

    private static void WritePart(JsonElement part, Utf8JsonWriter json)
    {
        switch (part.Text("type"))
        {
            case "text" or "refusal":
                if ((part.Text("text") ?? part.Text("refusal")) is { Length: > 0 } text)
                    WriteText(text, json);
                break;
            case "image_url" when part.Get("image_url")?.Text("url") is { } url:
                json.WriteStartObject();
                json.WriteString("type", "image");
                json.WriteStartObject("source");
                if (url.StartsWith("data:", StringComparison.Ordinal) && url.IndexOf(";base64,", StringComparison.Ordinal) is var comma and > 0)
                {
                    json.WriteString("type", "base64");
                    json.WriteString("media_type", url[5..comma]);
                    json.WriteString("data", url[(comma + 8)..]);
                }
                else
                {
                    json.WriteString("type", "url");
                    json.WriteString("url", url);
                }
                json.WriteEndObject();
                json.WriteEndObject();
                break;
            case var other:
                throw new RequestRefusedException($"This model takes text and pictures, not {other}.", "messages");
        }
    }

    private static void WriteResult(JsonElement message, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "tool_result");
        json.WriteString("tool_use_id", message.Text("tool_call_id"));
        json.WriteString("content", TextOf(message));
        json.WriteEndObject();
    }

    private static void WriteTools(JsonElement chat, Utf8JsonWriter json)
    {
        var tools = chat.Items("tools").ToList();
        if (tools.Count == 0)
            return;
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            var function = tool.Get("function") ?? throw new RequestRefusedException("This model takes tools that are functions only.", "tools");
            json.WriteStartObject();
            json.WriteString("name", function.Text("name"));
            json.Copy(function, "description");
            json.WritePropertyName("input_schema");
            if (function.Get("parameters") is { } schema)
                schema.WriteTo(json);
            else
                json.WriteRawValue("""{"type":"object","properties":{}}""");
            json.WriteEndObject();
        }
        json.WriteEndArray();

        var choice = chat.Get("tool_choice");
        var isSingle = chat.Get("parallel_tool_calls") is { ValueKind: JsonValueKind.False };
        if (choice is null && !isSingle)
            return;
        json.WriteStartObject("tool_choice");
        if (choice?.Get("function")?.Text("name") is { } named)
        {
            json.WriteString("type", "tool");
            json.WriteString("name", named);
        }
        else
        {
            json.WriteString("type", choice is { ValueKind: JsonValueKind.String } word ? word.GetString() switch { "required" => "any", "none" => "none", _ => "auto" } : "auto");
        }
        if (isSingle)
            json.WriteBoolean("disable_parallel_tool_use", true);
        json.WriteEndObject();
    }

    private static void WriteFormat(JsonElement chat, Utf8JsonWriter json)
    {
        if (chat.Get("response_format") is not { } format || format.Text("type") is "text" or null)
            return;
        if (format.Get("json_schema")?.Get("schema") is not { } schema)
            throw new RequestRefusedException("This model takes response_format with a json_schema only.", "response_format");
        json.WriteStartObject("output_config");
        json.WriteStartObject("format");
        json.WriteString("type", "json_schema");
        json.WritePropertyName("schema");
        schema.WriteTo(json);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteText(string text, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "text");
        json.WriteString("text", text);
        json.WriteEndObject();
    }

    /// <summary>A model may have written arguments that are no JSON; they were its words, and go back to it as such.</summary>
    private static void WriteArguments(string? arguments, Utf8JsonWriter json)
    {
        try
        {
            using var parsed = JsonDocument.Parse(string.IsNullOrWhiteSpace(arguments) ? "{}" : arguments);
            if (parsed.RootElement.ValueKind == JsonValueKind.Object)
            {
                parsed.RootElement.WriteTo(json);
                return;
            }
        }
        catch (JsonException)
        {
            // Below.
        }
        json.WriteStartObject();
        json.WriteString("arguments", arguments);
        json.WriteEndObject();
    }

    private static bool IsSystem(JsonElement message) => message.Text("role") is "system" or "developer";

    private static string TextOf(JsonElement message) =>
        message.Text("content") ?? string.Concat(message.Items("content").Select(part => part.Text("text")));
}
