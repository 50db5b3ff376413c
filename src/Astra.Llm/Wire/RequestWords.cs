using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>Words of a request by which it costs more than its bytes show.</summary>
internal static class RequestWords
{
    /// <summary>What is behind them is somewhere else: pictures, files, recordings.</summary>
    public static readonly byte[][] Pointing =
    [
        "\"image_url\""u8.ToArray(), "\"image\""u8.ToArray(), "\"input_image\""u8.ToArray(), "\"file\""u8.ToArray(), "\"input_file\""u8.ToArray(),
        "\"document\""u8.ToArray(), "\"audio_url\""u8.ToArray(), "\"video_url\""u8.ToArray(),
    ];

    /// <summary>The provider keeps a part of the conversation, or of the prompt.</summary>
    public static readonly byte[][] Keeping = ["\"previous_response_id\""u8.ToArray(), "\"conversation\""u8.ToArray(), "\"prompt\""u8.ToArray()];

    /// <summary>How often they occur as a name or as a whole value, or more often than that.</summary>
    /// <param name="quoted">Each with its quotation marks.</param>
    public static int Count(ReadOnlySpan<byte> body, byte[][] quoted)
    {
        // A word with an escape in it is the same word and other bytes.
        if (body.IndexOf("\\u00"u8) >= 0)
            return CountRead(body, quoted);
        var count = 0;
        foreach (var word in quoted)
            count += body.Count(word);
        return count;
    }

    private static int CountRead(ReadOnlySpan<byte> body, byte[][] quoted)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = RequestScan.DepthMax });
        var count = 0;
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
                continue;
            foreach (var word in quoted)
                if (reader.ValueTextEquals(word.AsSpan(1..^1)))
                    count++;
        }
        return count;
    }
}
