using System.Buffers.Text;

namespace Astra.Benchmarking.Router;

/// <summary>As much of HTTP/1.1 as measuring needs: where a message with a content-length ends.</summary>
internal static class HttpFraming
{
    /// <summary>Zero while it is not there whole.</summary>
    public static int WholeLength(ReadOnlySpan<byte> bytes)
    {
        var head = bytes.IndexOf("\r\n\r\n"u8);
        if (head < 0)
            return 0;
        var whole = head + 4 + ContentLength(bytes[..head]);
        return bytes.Length >= whole ? whole : 0;
    }

    private static int ContentLength(ReadOnlySpan<byte> head)
    {
        var at = head.IndexOf("ontent-"u8);
        while (at >= 0)
        {
            var name = head[(at + 7)..];
            if ((name.StartsWith("ength"u8) || name.StartsWith("Length"u8) || name.StartsWith("length"u8)) && name.IndexOf((byte)':') is var colon and > 0)
            {
                var value = name[(colon + 1)..].TrimStart((byte)' ');
                return Utf8Parser.TryParse(value, out int length, out _) ? length : 0;
            }
            var next = name.IndexOf("ontent-"u8);
            at = next < 0 ? -1 : at + 7 + next;
        }
        return 0;
    }
}
