using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>Messages in the words of OpenAI's chat. What a model thought, and what its answer came to, is not sent back to it.</summary>
internal static class ChatMessages
{
    // As OpenAI's client writes what an answer refuses.
    internal const string Refusal = "Refusal";

    private static readonly JsonSerializerOptions Plain = new(AIJsonUtilities.DefaultOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = false };

    public static JsonArray Write(IEnumerable<ChatMessage> messages, string? instructions)
    {
        var written = new JsonArray();
        if (!string.IsNullOrEmpty(instructions))
            written.Add(new JsonObject { ["role"] = "system", ["content"] = instructions });
        foreach (var message in messages)
        {
            // What tools gave has messages of its own, however it was put together.
            foreach (var result in message.Contents.OfType<FunctionResultContent>())
                written.Add(new JsonObject { ["role"] = "tool", ["tool_call_id"] = result.CallId, ["content"] = TextOf(result) });
            if (MessageOf(message) is not { } said)
                continue;
            if (message.Role == ChatRole.Tool)
                throw new NotSupportedException("A message of the role tool holds what functions gave, and nothing else.");
            written.Add(said);
        }
        return written;
    }

    /// <summary>Null when there is nothing left to say.</summary>
    private static JsonObject? MessageOf(ChatMessage message)
    {
        var parts = message.Contents.Where(content => content is not (FunctionResultContent or FunctionCallContent or TextReasoningContent or UsageContent)).ToList();
        var calls = message.Contents.OfType<FunctionCallContent>().ToList();
        if (parts.Count == 0 && calls.Count == 0 && message.Contents.Count > 0)
            return null;
        var said = new JsonObject { ["role"] = message.Role.Value };
        if (NameOf(message.AuthorName) is { Length: > 0 } name)
            said["name"] = name;
        // Of an assistant's words every provider takes a text, and few take a list.
        said["content"] = message.Role == ChatRole.Assistant || parts.TrueForAll(part => part is TextContent)
            ? TextOf(parts, isOptional: calls.Count > 0)
            : new JsonArray([.. parts.Select(PartOf)]);
        if (calls.Count > 0)
            said["tool_calls"] = new JsonArray([.. calls.Select(CallOf)]);
        return said;
    }

    private static JsonValue? TextOf(List<AIContent> parts, bool isOptional)
    {
        var text = string.Concat(parts.Select(part => part switch
        {
            TextContent said => said.Text,
            ErrorContent { ErrorCode: Refusal } refusal => refusal.Message,
            _ => throw Unspoken(part),
        }));
        return text.Length == 0 && isOptional ? null : JsonValue.Create(text);
    }

    private static JsonObject PartOf(AIContent content) => content switch
    {
        TextContent text => new JsonObject { ["type"] = "text", ["text"] = text.Text },
        DataContent picture when picture.HasTopLevelMediaType("image") => PictureOf(picture.Uri, picture),
        UriContent picture when picture.HasTopLevelMediaType("image") => PictureOf(picture.Uri.ToString(), picture),
        DataContent sound when sound.HasTopLevelMediaType("audio") => new JsonObject
        {
            ["type"] = "input_audio",
            ["input_audio"] = new JsonObject { ["data"] = sound.Base64Data.ToString(), ["format"] = sound.MediaType is "audio/mpeg" or "audio/mp3" ? "mp3" : "wav" },
        },
        DataContent file => new JsonObject { ["type"] = "file", ["file"] = new JsonObject { ["filename"] = file.Name ?? "file", ["file_data"] = file.Uri } },
        HostedFileContent file => new JsonObject { ["type"] = "file", ["file"] = new JsonObject { ["file_id"] = file.FileId } },
        _ => throw Unspoken(content),
    };

    private static JsonObject PictureOf(string url, AIContent content)
    {
        var picture = new JsonObject { ["url"] = url };
        if (content.AdditionalProperties?.TryGetValue("detail", out var detail) == true && detail?.ToString() is { } word)
            picture["detail"] = word;
        return new JsonObject { ["type"] = "image_url", ["image_url"] = picture };
    }

    private static JsonObject CallOf(FunctionCallContent call) => new()
    {
        ["id"] = call.CallId,
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = call.Arguments is { } arguments ? JsonSerializer.Serialize(arguments, Plain) : "{}" },
    };

    private static string TextOf(FunctionResultContent result) => result switch
    {
        { Exception: { } failure, Result: null } => $"Error: {FailureCause.Sentence(failure)}",
        { Result: null } => "",
        { Result: string text } => text,
        { Result: TextContent text } => text.Text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } text } => text.GetString()!,
        { Result: { } value } => JsonSerializer.Serialize(value, Plain),
    };

    /// <summary>Names have letters, digits, dashes and underscores there; of others that much is kept.</summary>
    private static string? NameOf(string? author) =>
        author is null ? null : string.Concat(author.Where(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_').Take(64));

    private static NotSupportedException Unspoken(AIContent content) => new($"A message of a chat cannot hold {content.GetType().Name} here.");
}
