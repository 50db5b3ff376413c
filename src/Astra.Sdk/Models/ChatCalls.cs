using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>The calls of functions in a stream, put together from their pieces. None is given out before the answer is whole.</summary>
internal sealed class ChatCalls
{
    private readonly List<Asked> _calls = [];

    public int Count => _calls.Count;

    public void Add(JsonElement piece)
    {
        var (index, id) = (piece.Whole("index"), piece.Text("id"));
        // Some servers give no index: then an id begins another call, and what has none belongs to the last.
        var call = index is not null ? _calls.Find(known => known.Index == index)
            : id is { Length: > 0 } ? _calls.Find(known => known.Id == id)
            : _calls.LastOrDefault();
        if (call is null)
            _calls.Add(call = new Asked { Index = index });
        if (id is { Length: > 0 })
            call.Id = id;
        if (piece.Member("function")?.Text("name") is { Length: > 0 } name)
            call.Name ??= name;
        call.Arguments.Append(ArgumentsOf(piece));
    }

    public IList<AIContent> Whole() => [.. _calls.Select(call => Call(call.Id, call.Name ?? "", call.Arguments.ToString()))];

    /// <summary>What a model wrote need not be JSON; then the content says so, and the model can be told.</summary>
    public static FunctionCallContent Call(string id, string name, string arguments) => FunctionCallContent.CreateFromParsedArguments(
        arguments, id, name, static words => string.IsNullOrWhiteSpace(words) ? new Dictionary<string, object?>() : JsonSerializer.Deserialize<Dictionary<string, object?>>(words, AIJsonUtilities.DefaultOptions)!);

    /// <summary>A text by the book; some servers send the object itself.</summary>
    public static string ArgumentsOf(JsonElement call) => call.Member("function")?.Member("arguments") switch
    {
        null => "",
        { ValueKind: JsonValueKind.String } text => text.GetString()!,
        var json => json.Value.GetRawText(),
    };

    private sealed class Asked
    {
        public long? Index { get; init; }
        public string Id { get; set; } = "";
        public string? Name { get; set; }
        public StringBuilder Arguments { get; } = new();
    }
}
