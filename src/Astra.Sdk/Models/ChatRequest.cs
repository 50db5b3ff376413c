using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>A question in the words of OpenAI's chat.</summary>
internal static class ChatRequest
{
    // By this word among the additional properties a tool or a schema is held to the letter.
    private const string Strict = "strict";

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="NotSupportedException">It says something that this dialect has no word for.</exception>
    public static byte[] Write(IEnumerable<ChatMessage> messages, ChatOptions? options, string model, bool isStream, IChatClient client)
    {
        // Whoever knows the dialect may begin the request, and what they wrote stands.
        var body = options?.RawRepresentationFactory?.Invoke(client) as JsonObject ?? [];
        body.TryAdd("model", options?.ModelId ?? model);
        body.TryAdd("messages", ChatMessages.Write(messages, options?.Instructions));
        if (options is not null)
            WriteOptions(body, options);
        // Last, and whatever anybody else says: how the answer is read depends on it.
        body.Remove("stream");
        if (isStream)
        {
            body["stream"] = true;
            body["stream_options"] = new JsonObject { ["include_usage"] = true };
        }
        return JsonSerializer.SerializeToUtf8Bytes(body, Plain);
    }

    private static void WriteOptions(JsonObject body, ChatOptions options)
    {
        if (options.ConversationId is not null || options.ContinuationToken is not null)
            throw new NotSupportedException("Astra keeps no conversations for a chat; send all of its messages.");
        Add(body, "temperature", options.Temperature);
        Add(body, "top_p", options.TopP);
        Add(body, "top_k", options.TopK);
        Add(body, "max_tokens", options.MaxOutputTokens);
        Add(body, "frequency_penalty", options.FrequencyPenalty);
        Add(body, "presence_penalty", options.PresencePenalty);
        Add(body, "seed", options.Seed);
        if (options.StopSequences is { Count: > 0 } stops)
            body.TryAdd("stop", new JsonArray([.. stops.Select(stop => JsonValue.Create(stop))]));
        if (options.Reasoning?.Effort is { } effort)
            body.TryAdd("reasoning_effort", WordOf(effort));
        var isStrict = options.AdditionalProperties?.TryGetValue(Strict, out var strict) == true ? strict as bool? : null;
        if (options.ResponseFormat is { } format)
            body.TryAdd("response_format", FormatOf(format, isStrict));
        WriteTools(body, options);
        foreach (var (name, value) in options.AdditionalProperties ?? [])
            if (name != Strict)
                body.TryAdd(name, JsonSerializer.SerializeToNode(value, AIJsonUtilities.DefaultOptions));
    }

    private static void WriteTools(JsonObject body, ChatOptions options)
    {
        if (options.Tools is not { Count: > 0 } tools)
            return;
        body.TryAdd("tools", new JsonArray([.. tools.Select(ToolOf)]));
        if (options.ToolMode is { } mode)
            body.TryAdd("tool_choice", mode switch
            {
                NoneChatToolMode => "none",
                RequiredChatToolMode { RequiredFunctionName: { } name } => new JsonObject { ["type"] = "function", ["function"] = new JsonObject { ["name"] = name } },
                RequiredChatToolMode => "required",
                _ => "auto",
            });
        if (options.AllowMultipleToolCalls is { } several)
            body.TryAdd("parallel_tool_calls", several);
    }

    private static JsonObject ToolOf(AITool tool)
    {
        if (tool is not AIFunctionDeclaration function)
            throw new NotSupportedException($"A chat takes tools that are functions; {tool.Name} is none.");
        var declared = new JsonObject { ["name"] = function.Name, ["description"] = function.Description, ["parameters"] = JsonSerializer.SerializeToNode(function.JsonSchema) };
        if (function.AdditionalProperties.TryGetValue(Strict, out var strict) && strict is bool isStrict)
            declared[Strict] = isStrict;
        return new JsonObject { ["type"] = "function", ["function"] = declared };
    }

    private static JsonObject FormatOf(ChatResponseFormat format, bool? isStrict)
    {
        if (format is not ChatResponseFormatJson json)
            return new JsonObject { ["type"] = "text" };
        if (json.Schema is not { } schema)
            return new JsonObject { ["type"] = "json_object" };
        var named = new JsonObject { ["name"] = json.SchemaName ?? "answer", ["schema"] = JsonSerializer.SerializeToNode(schema) };
        if (json.SchemaDescription is { } description)
            named["description"] = description;
        if (isStrict is { } strict)
            named[Strict] = strict;
        return new JsonObject { ["type"] = "json_schema", ["json_schema"] = named };
    }

    private static string WordOf(ReasoningEffort effort) => effort switch
    {
        ReasoningEffort.None => "none",
        ReasoningEffort.Low => "low",
        ReasoningEffort.High => "high",
        ReasoningEffort.ExtraHigh => "xhigh",
        _ => "medium",
    };

    private static void Add<T>(JsonObject body, string name, T? value) where T : struct
    {
        if (value is { } given)
            body.TryAdd(name, JsonValue.Create(given));
    }
}
