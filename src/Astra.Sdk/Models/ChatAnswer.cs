using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>Answers of OpenAI's chat, and their parts that streams have too.</summary>
internal static class ChatAnswer
{
    public static ChatResponse Read(JsonElement answer)
    {
        var choice = answer.Items("choices").FirstOrDefault();
        if (choice.Member("message") is not { } said)
            throw new JsonException("There is no message in it.");
        var id = answer.Text("id");
        var message = new ChatMessage(ChatRole.Assistant, ContentsOf(said)) { MessageId = id, CreatedAt = CreatedAt(answer), RawRepresentation = said };
        foreach (var call in said.Items("tool_calls"))
            message.Contents.Add(ChatCalls.Call(call.Text("id") ?? "", call.Member("function")?.Text("name") ?? "", ChatCalls.ArgumentsOf(call)));
        return new ChatResponse(message)
        {
            ResponseId = id, ModelId = answer.Text("model"), CreatedAt = CreatedAt(answer), FinishReason = FinishOf(choice), Usage = UsageOf(answer), RawRepresentation = answer,
        };
    }

    /// <summary>Of a message, or of a piece of one.</summary>
    public static List<AIContent> ContentsOf(JsonElement said)
    {
        var contents = new List<AIContent>();
        // Local servers tell what a model thinks under either name.
        if ((said.Text("reasoning_content") ?? said.Text("reasoning")) is { Length: > 0 } thought)
            contents.Add(new TextReasoningContent(thought));
        if (said.Text("content") is { Length: > 0 } text)
            contents.Add(new TextContent(text));
        foreach (var part in said.Items("content"))
            if (part.Text("text") is { Length: > 0 } words)
                contents.Add(new TextContent(words));
        if (said.Text("refusal") is { Length: > 0 } refusal)
            contents.Add(new ErrorContent(refusal) { ErrorCode = ChatMessages.Refusal });
        return contents;
    }

    public static ChatFinishReason? FinishOf(JsonElement choice) => choice.Text("finish_reason") switch
    {
        null => null,
        "stop" => ChatFinishReason.Stop,
        "length" => ChatFinishReason.Length,
        "tool_calls" or "function_call" => ChatFinishReason.ToolCalls,
        "content_filter" => ChatFinishReason.ContentFilter,
        var other => new ChatFinishReason(other),
    };

    public static UsageDetails? UsageOf(JsonElement answer)
    {
        if (answer.Member("usage") is not { ValueKind: JsonValueKind.Object } usage)
            return null;
        var read = usage.Member("prompt_tokens_details") ?? default;
        var written = usage.Member("completion_tokens_details") ?? default;
        var details = new UsageDetails
        {
            InputTokenCount = usage.Whole("prompt_tokens"), OutputTokenCount = usage.Whole("completion_tokens"),
            CachedInputTokenCount = read.Whole("cached_tokens"), ReasoningTokenCount = written.Whole("reasoning_tokens"),
        };
        details.TotalTokenCount = usage.Whole("total_tokens") ?? (details.InputTokenCount is { } input ? input + (details.OutputTokenCount ?? 0) : null);
        return details;
    }

    /// <summary>Null where a server says nothing, or zero.</summary>
    public static DateTimeOffset? CreatedAt(JsonElement answer) => answer.Whole("created") is > 0 and < 1L << 36 and var seconds ? DateTimeOffset.FromUnixTimeSeconds(seconds) : null;
}
