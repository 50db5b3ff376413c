using System.Text.Json;

namespace Astra.Llm.Wire;

/// <summary>A request that cannot be understood; the message is for its client.</summary>
public sealed class RequestRefusedException(string sentence, string? parameter = null) : Exception(sentence)
{
    public string? Parameter { get; } = parameter;
}

/// <summary>Where a value stands in the bytes of a request.</summary>
public readonly record struct Place(int Start, int Length)
{
    public bool IsThere => Length > 0;
    public int End => Start + Length;
}

/// <summary>
/// What the router has to know of a request, read in one pass over its bytes without making anything of the rest. Where the
/// values stand is kept, so that they can be changed without writing the request anew.
/// </summary>
public sealed record RequestScan
{
    /// <summary>Deeper than any request is meant; a limit is what keeps a hostile one from the stack.</summary>
    public const int DepthMax = 128;

    public required string Model { get; init; }
    public required Place ModelPlace { get; init; }

    /// <summary>The brace that ends the request: what is added stands before it.</summary>
    public required int End { get; init; }

    public bool IsStream { get; init; }

    /// <summary>The bound that the client has set, under whichever name.</summary>
    public long? OutputTokensMax { get; init; }

    /// <summary>How many answers at once.</summary>
    public int Count { get; init; } = 1;

    public Place StreamOptions { get; init; }
    public Place IncludeUsage { get; init; }
    public bool WantsUsage { get; init; }
    public bool WantsBase64 { get; init; }

    /// <param name="operation">Decides what the bound of the answer is called: a provider passes over names that it does not know, and
    /// an answer that nothing bounds would be paid for as if it were short.</param>
    /// <exception cref="RequestRefusedException">It is no such request.</exception>
    public static RequestScan Read(ReadOnlySpan<byte> body, Operation operation = Operation.Chat)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = DepthMax });
        try
        {
            return Read(ref reader, operation);
        }
        catch (JsonException e)
        {
            throw new RequestRefusedException($"The request body is not JSON: {e.Message}");
        }
    }

    private static RequestScan Read(ref Utf8JsonReader reader, Operation operation)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new RequestRefusedException("The request body must be a JSON object.");

        string? model = null;
        Place modelPlace = default, streamOptions = default, includeUsage = default;
        bool? stream = null;
        var (wantsUsage, wantsBase64) = (false, false);
        long? outputMax = null;
        int? count = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("model"u8))
            {
                Once(modelPlace.IsThere, "model");
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                    throw new RequestRefusedException("model must be a string.", "model");
                model = reader.GetString()!;
                modelPlace = PlaceOf(ref reader);
            }
            else if (reader.ValueTextEquals("stream"u8))
            {
                Once(stream is not null, "stream");
                reader.Read();
                stream = reader.TokenType switch
                {
                    JsonTokenType.True => true,
                    JsonTokenType.False or JsonTokenType.Null => false,
                    _ => throw new RequestRefusedException("stream must be true or false.", "stream"),
                };
            }
            else if (reader.ValueTextEquals("stream_options"u8))
            {
                Once(streamOptions.IsThere, "stream_options");
                reader.Read();
                var start = (int)reader.TokenStartIndex;
                if (reader.TokenType == JsonTokenType.StartObject)
                    (includeUsage, wantsUsage) = ReadStreamOptions(ref reader);
                else if (reader.TokenType != JsonTokenType.Null)
                    throw new RequestRefusedException("stream_options must be an object.", "stream_options");
                streamOptions = new Place(start, (int)reader.BytesConsumed - start);
            }
            else if (IsBound(ref reader, operation))
            {
                var name = reader.GetString()!;
                // Two names for one thing: the larger one is what may have to be paid.
                if (Number(ref reader, name) is { } bound)
                    outputMax = Math.Max(outputMax ?? 0, bound);
            }
            else if (reader.ValueTextEquals("n"u8))
            {
                Once(count is not null, "n");
                count = (int)Math.Min(Number(ref reader, "n") ?? 1, int.MaxValue);
            }
            else if (reader.ValueTextEquals("encoding_format"u8))
            {
                reader.Read();
                wantsBase64 = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("base64"u8);
                reader.Skip();
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }
        var end = (int)reader.TokenStartIndex;
        if (reader.Read())
            throw new RequestRefusedException("The request body must be one JSON object.");
        return new RequestScan
        {
            Model = model ?? throw new RequestRefusedException("model is missing.", "model"),
            ModelPlace = modelPlace, End = end, IsStream = stream ?? false, OutputTokensMax = outputMax, Count = Math.Max(1, count ?? 1),
            StreamOptions = streamOptions, IncludeUsage = includeUsage, WantsUsage = wantsUsage, WantsBase64 = wantsBase64,
        };
    }

    private static bool IsBound(ref Utf8JsonReader reader, Operation operation) => operation switch
    {
        Operation.Responses => reader.ValueTextEquals("max_output_tokens"u8),
        Operation.Chat => reader.ValueTextEquals("max_tokens"u8) || reader.ValueTextEquals("max_completion_tokens"u8),
        Operation.Messages => reader.ValueTextEquals("max_tokens"u8),
        _ => false,
    };

    private static (Place, bool) ReadStreamOptions(ref Utf8JsonReader reader)
    {
        Place place = default;
        var wanted = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUsage = reader.ValueTextEquals("include_usage"u8);
            reader.Read();
            if (isUsage)
            {
                Once(place.IsThere, "include_usage");
                (wanted, place) = (reader.TokenType == JsonTokenType.True, PlaceOf(ref reader));
            }
            reader.Skip();
        }
        return (place, wanted);
    }

    private static long? Number(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.Number when reader.TryGetInt64(out var number) && number >= 0 => number,
            _ => throw new RequestRefusedException($"{name} must be a whole number, and not negative.", name),
        };
    }

    private static Place PlaceOf(ref Utf8JsonReader reader) => new((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));

    // Of two the provider might take the one that we did not look at.
    private static void Once(bool wasThere, string name)
    {
        if (wasThere)
            throw new RequestRefusedException($"{name} is there twice.", name);
    }
}
