using System.Text.Json;
using Astra.Llm.Translation;
using Astra.Llm.Wire;

namespace Astra.Llm.Caching;

/// <summary>A streamed answer put together to what it would have been in one piece; null for one that broke off.</summary>
internal static class WholeOfStream
{
    public static byte[]? Gather(Operation operation, ReadOnlySpan<byte> stream)
    {
        try
        {
            return operation switch
            {
                Operation.Messages => GatherMessage(stream),
                Operation.Responses => GatherResponse(stream),
                _ => GatherChat(stream),
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static byte[]? GatherChat(ReadOnlySpan<byte> stream)
    {
        var answer = new GatheredValue();
        var choices = answer.Member("choices");
        while (Next(ref stream, out var data))
        {
            if (data.SequenceEqual("[DONE]"u8))
                return ToArray(answer);
            var chunk = Json.Parse(data);
            if (chunk.Get("error") is not null)
                return null;
            foreach (var member in chunk.EnumerateObject())
            {
                if (member.Name != "choices")
                {
                    if (member.Value.ValueKind != JsonValueKind.Null)
                        answer.Member(member.Name).Set(member.Value);
                    continue;
                }
                foreach (var choice in member.Value.EnumerateArray())
                    Add(choices.Item(choice.Number("index")), choice);
            }
            answer.Member("object").Set(JsonElement.Parse("\"chat.completion\""));
        }
        return null;
    }

    private static void Add(GatheredValue choice, JsonElement chunk)
    {
        foreach (var member in chunk.EnumerateObject())
        {
            if (member.Name == "delta")
                choice.Member("message").Add(member.Value);
            else if (member.Name == "logprobs")
                choice.Member("logprobs").Add(member.Value);
            else if (member.Value.ValueKind != JsonValueKind.Null)
                choice.Member(member.Name).Set(member.Value);
        }
        // Who says nothing, because it calls a tool, says so in so many words.
        _ = choice.Member("message").Member("content");
    }

    private static byte[]? GatherMessage(ReadOnlySpan<byte> stream)
    {
        var message = new GatheredValue();
        var content = message.Member("content");
        var inputs = new HashSet<long>();
        while (Next(ref stream, out var data))
        {
            var told = Json.Parse(data);
            var index = told.Number("index");
            switch (told.Text("type"))
            {
                case "message_start" when told.Get("message") is { } begun:
                    message.Add(begun);
                    break;
                case "content_block_start" when told.Get("content_block") is { } block:
                    content.Item(index).Add(block);
                    break;
                case "content_block_delta" when told.Get("delta") is { } delta:
                    AddDelta(content.Item(index), delta, index, inputs);
                    break;
                case "message_delta":
                    SetAll(message, told.Get("delta"));
                    SetAll(message.Member("usage"), told.Get("usage"));
                    break;
                case "message_stop":
                    foreach (var call in inputs)
                        content.Item(call).Member("input").Set(Json.Parse(System.Text.Encoding.UTF8.GetBytes(content.Item(call).Member("input").Text is { Length: > 0 } text ? text : "{}")));
                    return ToArray(message);
                case "error":
                    return null;
            }
        }
        return null;
    }

    private static void AddDelta(GatheredValue block, JsonElement delta, long index, HashSet<long> inputs)
    {
        foreach (var member in delta.EnumerateObject())
        {
            if (member.Name == "type")
                continue;
            if (member.Name == "partial_json")
            {
                if (inputs.Add(index))
                    block.Member("input").Set(default);
                block.Member("input").Append(member.Value.GetString()!);
            }
            else if (member.Name == "citation")
            {
                block.Member("citations").Add(JsonElement.Parse($"[{member.Value.GetRawText()}]"));
            }
            else
            {
                block.Member(member.Name).Add(member.Value);
            }
        }
    }

    private static void SetAll(GatheredValue target, JsonElement? values)
    {
        foreach (var member in values?.EnumerateObject() ?? default)
            target.Member(member.Name).Set(member.Value);
    }

    /// <summary>The last event has the whole of it.</summary>
    private static byte[]? GatherResponse(ReadOnlySpan<byte> stream)
    {
        while (Next(ref stream, out var data))
        {
            if (data.SequenceEqual("[DONE]"u8))
                return null;
            var told = Json.Parse(data);
            if (told.Text("type") is "response.completed" or "response.incomplete" && told.Get("response") is { } response)
                return System.Text.Encoding.UTF8.GetBytes(response.GetRawText());
        }
        return null;
    }

    private static bool Next(ref ReadOnlySpan<byte> stream, out ReadOnlySpan<byte> data)
    {
        while (true)
        {
            var told = StreamEvents.Next(stream, out var length);
            stream = stream[length..];
            data = told.Data;
            if (length == 0 || told.HasData)
                return length > 0;
        }
    }

    private static byte[] ToArray(GatheredValue value)
    {
        using var buffer = new PooledBuffer();
        using (var json = Json.Writer(buffer))
            value.Write(json);
        return buffer.Span.ToArray();
    }
}
