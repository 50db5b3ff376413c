using System.Text.Json;

namespace Astra.Auditor.Cage.Discover;

internal static class JsonFiles
{
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 256 };

    /// <exception cref="JsonException">Not JSON, with the line.</exception>
    public static JsonDocument Parse(string path, long sizeMax)
    {
        var size = new FileInfo(path).Length;
        if (size > sizeMax)
            throw new FormatException($"{size} bytes: too large for a file of this kind.");
        return JsonDocument.Parse(File.ReadAllBytes(path), Lenient);
    }

    public static int? LineOf(Exception failure) => failure is JsonException { LineNumber: { } line } ? (int)line + 1 : null;

    public static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static IEnumerable<JsonProperty> Properties(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject() : [];
}
