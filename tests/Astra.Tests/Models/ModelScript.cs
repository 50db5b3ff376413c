using System.Text;
using System.Text.Json;

namespace Astra.Tests.Models;

/// <summary>What a scripted server does with one request.</summary>
internal sealed record ModelScript(IReadOnlyList<ScriptStep> Steps)
{
    private const string StreamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

    public static ModelScript Status(int status, string message = "no", params (string Name, string Value)[] headers) =>
        Whole(status, JsonSerializer.Serialize(new { error = new { message, type = "some_error" } }), headers);

    public static ModelScript Whole(int status, string body, params (string Name, string Value)[] headers) => Whole(status, body, "application/json", headers);

    public static ModelScript Whole(int status, string body, string contentType, params (string Name, string Value)[] headers)
    {
        var extra = string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n"));
        return new([Bytes($"HTTP/1.1 {status} Scripted\r\ncontent-type: {contentType}\r\ncontent-length: {Encoding.UTF8.GetByteCount(body)}\r\n{extra}\r\n{body}")]);
    }

    /// <summary>Headers of a stream, and then whatever steps there are.</summary>
    public static ModelScript Stream(params ScriptStep[] steps) => new([Bytes(StreamHead), .. steps]);

    public static Send Chunk(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return new Send([.. Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), .. bytes, .. "\r\n"u8]);
    }

    public static Send LastChunk { get; } = new("0\r\n\r\n"u8.ToArray());

    public static Send Bytes(string text) => new(Encoding.UTF8.GetBytes(text));

    public static string Delta(string text) =>
        $"data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{JsonSerializer.Serialize(text)}}},\"finish_reason\":null}}]}}\n\n";

    public const string Role =
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
    public const string Finish =
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    public const string Usage =
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2,\"total_tokens\":13}}\n\n";
    public const string Done = "data: [DONE]\n\n";

    /// <summary>A right answer of OpenAI's chat, in one piece.</summary>
    public static ModelScript Chat(string text) => Whole(200, JsonSerializer.Serialize(new
    {
        id = "c1", @object = "chat.completion", created = 1, model = "real",
        choices = (object[])[new { index = 0, message = new { role = "assistant", content = text }, finish_reason = "stop" }],
        usage = new { prompt_tokens = 11, completion_tokens = 2, total_tokens = 13 },
    }));

    /// <summary>A call of a tool, with whatever arguments the test likes.</summary>
    public static ModelScript Calls(params (string Name, string Arguments)[] calls) => Whole(200, JsonSerializer.Serialize(new
    {
        id = "c1", @object = "chat.completion", created = 1, model = "real",
        choices = (object[])[new
        {
            index = 0, finish_reason = "tool_calls",
            message = new { role = "assistant", content = (string?)null, tool_calls = calls.Select((call, i) => new { id = $"call_{i}", type = "function", function = new { name = call.Name, arguments = call.Arguments } }) },
        }],
        usage = new { prompt_tokens = 11, completion_tokens = 2, total_tokens = 13 },
    }));

    public static ModelScript ChatStream(params string[] words) =>
        Stream([Chunk(Role), .. words.Select(word => Chunk(Delta(word))), Chunk(Finish), Chunk(Usage), Chunk(Done), LastChunk]);

    public static ModelScript ToolCall(bool isStream) => isStream
        ? Stream(
            Chunk(Role),
            Chunk("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"weather\",\"arguments\":\"\"}}]},\"finish_reason\":null}]}\n\n"),
            Chunk("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}}]},\"finish_reason\":null}]}\n\n"),
            Chunk("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"Bonn\\\"}\"}}]},\"finish_reason\":null}]}\n\n"),
            Chunk("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"),
            Chunk(Usage), Chunk(Done), LastChunk)
        : Whole(200, """{"id":"c1","object":"chat.completion","created":1,"model":"real","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Bonn\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13}}""");

    /// <summary>A right answer of Anthropic's messages, in one piece.</summary>
    public static ModelScript Message(string text) => Whole(200, JsonSerializer.Serialize(new
    {
        id = "msg_1", type = "message", role = "assistant", model = "real", content = (object[])[new { type = "text", text }],
        stop_reason = "end_turn", stop_sequence = (string?)null, usage = new { input_tokens = 9, output_tokens = 3, cache_read_input_tokens = 2, cache_creation_input_tokens = 0 },
    }));

    public static Send Told(string type, string rest) => Chunk($"event: {type}\ndata: {{\"type\":\"{type}\"{rest}}}\n\n");

    public static IReadOnlyList<ScriptStep> MessageBegin { get; } =
    [
        Told("message_start", ""","message":{"id":"msg_1","type":"message","role":"assistant","model":"real","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}"""),
        Told("content_block_start", ""","index":0,"content_block":{"type":"text","text":""}"""),
        Told("ping", ""),
    ];

    public static Send MessageDelta(string text) => Told("content_block_delta", $",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{JsonSerializer.Serialize(text)}}}");

    public static ModelScript MessageStream(params string[] words) => Stream(
    [
        .. MessageBegin, .. words.Select(MessageDelta), Told("content_block_stop", ""","index":0"""),
        Told("message_delta", ""","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}"""), Told("message_stop", ""), LastChunk,
    ]);

    public static ModelScript MessageToolCall(bool isStream) => isStream
        ? Stream(
            MessageBegin[0],
            Told("content_block_start", ""","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}"""),
            Told("content_block_delta", ""","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\":"}"""),
            Told("content_block_delta", ""","index":0,"delta":{"type":"input_json_delta","partial_json":"\"Bonn\"}"}"""),
            Told("content_block_stop", ""","index":0"""),
            Told("message_delta", ""","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":3}"""), Told("message_stop", ""), LastChunk)
        : Whole(200, """{"id":"msg_1","type":"message","role":"assistant","model":"real","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Bonn"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":3}}""");
}
