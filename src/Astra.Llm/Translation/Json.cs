using System.Buffers;
using System.Text.Json;

namespace Astra.Llm.Translation;

/// <summary>What the conversions have in common when they read and write JSON.</summary>
internal static class Json
{
    private static readonly JsonWriterOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Utf8JsonWriter Writer(IBufferWriter<byte> output) => new(output, Plain);

    public static JsonElement Parse(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = Wire.RequestScan.DepthMax });
        return JsonElement.ParseValue(ref reader);
    }

    /// <summary>Null for what is not there, and for null.</summary>
    public static JsonElement? Get(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static string? Text(this JsonElement element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    public static long Number(this JsonElement element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var value) ? value : 0;

    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.Get(name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    /// <summary>Copies a member under its own name or another; nothing when it is not there.</summary>
    public static void Copy(this Utf8JsonWriter json, JsonElement from, string name, string? as_ = null)
    {
        if (from.Get(name) is { } value)
        {
            json.WritePropertyName(as_ ?? name);
            value.WriteTo(json);
        }
    }

    /// <summary>One server-sent event.</summary>
    public static void WriteEvent(IBufferWriter<byte> output, string? name, Action<Utf8JsonWriter> write)
    {
        if (name is not null)
        {
            output.Write("event: "u8);
            output.Write(System.Text.Encoding.ASCII.GetBytes(name));
            output.Write("\n"u8);
        }
        output.Write("data: "u8);
        using (var json = Writer(output))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        output.Write("\n\n"u8);
    }
}
