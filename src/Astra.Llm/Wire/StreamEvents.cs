namespace Astra.Llm.Wire;

/// <summary>
/// Finds whole server-sent events in bytes that arrive in pieces. An event is told of only when the blank line that ends it
/// is there, so nothing is ever handed on by half.
/// </summary>
internal static class StreamEvents
{
    /// <summary>An event larger than this is none of a model's.</summary>
    public const int EventBytesMax = 16 << 20;

    /// <param name="length">Of the event with its blank line; zero when it is not there whole.</param>
    public static StreamEvent Next(ReadOnlySpan<byte> bytes, out int length)
    {
        ReadOnlySpan<byte> name = default, data = default;
        byte[]? joined = null;
        var hasData = false;
        var at = 0;
        while (true)
        {
            var newLine = bytes[at..].IndexOf((byte)'\n');
            if (newLine < 0)
            {
                length = 0;
                return default;
            }
            var line = bytes.Slice(at, newLine);
            at += newLine + 1;
            if (line.Length > 0 && line[^1] == '\r')
                line = line[..^1];
            if (line.IsEmpty)
            {
                length = at;
                return new StreamEvent(name, joined is null ? data : joined, hasData);
            }
            if (line.StartsWith("data:"u8))
            {
                var value = Value(line[5..]);
                if (hasData)
                    joined = [.. joined ?? data.ToArray(), (byte)'\n', .. value];
                else
                    data = value;
                hasData = true;
            }
            else if (line.StartsWith("event:"u8))
            {
                name = Value(line[6..]);
            }
            // Comments, ids and retry times are none of our business.
        }
    }

    private static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> rest) => rest.Length > 0 && rest[0] == ' ' ? rest[1..] : rest;
}

/// <summary>One event; without data it is a keep-alive.</summary>
internal readonly ref struct StreamEvent(ReadOnlySpan<byte> name, ReadOnlySpan<byte> data, bool hasData)
{
    public ReadOnlySpan<byte> Name { get; } = name;
    public ReadOnlySpan<byte> Data { get; } = data;
    public bool HasData { get; } = hasData;
}
