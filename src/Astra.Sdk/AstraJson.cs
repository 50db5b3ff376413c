using System.Text.Json;
using System.Text.Json.Serialization;

namespace Astra.Sdk;

/// <summary>JSON as Astra writes it everywhere: camelCase names, enums as camelCase words, nulls left out.</summary>
public static class AstraJson
{
    public static JsonSerializerOptions Options { get; } = Create();

    internal static JsonElement Null { get; } = JsonElement.Parse("null"u8);

    public static JsonElement ToElement(object? value) => value switch
    {
        null => Null,
        JsonElement element => element,
        _ => JsonSerializer.SerializeToElement(value, value.GetType(), Options),
    };

    public static byte[] Write<T>(T value) => JsonSerializer.SerializeToUtf8Bytes(value, Options);

    public static T Read<T>(JsonElement element) =>
        element.Deserialize<T>(Options) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    public static T Read<T>(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize<T>(utf8, Options) ?? throw new JsonException($"Expected a {typeof(T).Name}, found null.");

    /// <summary>Empty bytes are null: a task without input or result has none.</summary>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
            return Null;
        var reader = new Utf8JsonReader(utf8);
        return JsonElement.ParseValue(ref reader);
    }

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            RespectNullableAnnotations = true,
            AllowOutOfOrderMetadataProperties = true,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.CamelCase));
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
