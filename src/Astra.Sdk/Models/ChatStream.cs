using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>One stream of OpenAI's chat, read piece by piece.</summary>
internal sealed class ChatStream
{
    private readonly ChatCalls _calls = new();
    private string? _id;
    private string? _model;
    private DateTimeOffset? _createdAt;

    /// <summary>Null when a piece says nothing by itself.</summary>
    public ChatResponseUpdate? Read(JsonElement chunk)
    {
        _id ??= chunk.Text("id");
        _model ??= chunk.Text("model");
        _createdAt ??= ChatAnswer.CreatedAt(chunk);
        // Several answers at once are several streams in one; a response is one of them.
        var choice = chunk.Items("choices").FirstOrDefault(choice => (choice.Whole("index") ?? 0) == 0);
        var delta = choice.Member("delta") ?? default;
        var update = Update(ChatAnswer.ContentsOf(delta));
        update.FinishReason = ChatAnswer.FinishOf(choice);
        update.RawRepresentation = chunk;
        foreach (var piece in delta.Items("tool_calls"))
            _calls.Add(piece);
        if (ChatAnswer.UsageOf(chunk) is { } usage)
            update.Contents.Add(new UsageContent(usage));
        return update.Contents.Count > 0 || update.FinishReason is not null || delta.Text("role") is not null ? update : null;
    }

    /// <summary>What the model wants called, when its answer has ended.</summary>
    public ChatResponseUpdate? Calls() => _calls.Count == 0 ? null : Update(_calls.Whole());

    private ChatResponseUpdate Update(IList<AIContent> contents) =>
        new(ChatRole.Assistant, contents) { ResponseId = _id, MessageId = _id, ModelId = _model, CreatedAt = _createdAt };
}
