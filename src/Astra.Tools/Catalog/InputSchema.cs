using System.Text.Json;

namespace Astra.Tools.Catalog;

/// <summary>
/// The part of JSON Schema that tool inputs are checked against: type, properties, required, additionalProperties,
/// items and enum. Other keywords are documentation.
/// </summary>
public static class InputSchema
{
    // A schema is written by hand and is never this deep; a value that goes deeper is not looked into further.
    private const int DepthMax = 64;

    /// <returns>Null when the value fits; otherwise one sentence that names the place.</returns>
    public static string? Check(JsonElement schema, JsonElement value) => Check(schema, value, "The input", 0);

    private static string? Check(JsonElement schema, JsonElement value, string place, int depth)
    {
        if (schema.ValueKind == JsonValueKind.False)
            return $"{place} is not allowed.";
        if (schema.ValueKind != JsonValueKind.Object || depth > DepthMax)
            return null;
        if (schema.TryGetProperty("type", out var type) && !IsOfType(type, value))
            return $"{place} must be {Describe(type)}, not {DescribeKind(value)}.";
        if (schema.TryGetProperty("enum", out var choices) && !choices.EnumerateArray().Any(choice => JsonElement.DeepEquals(choice, value)))
            return $"{place} must be one of {string.Join(", ", choices.EnumerateArray().Select(choice => choice.GetRawText()))}.";
        return value.ValueKind switch
        {
            JsonValueKind.Object => CheckObject(schema, value, place, depth),
            JsonValueKind.Array => CheckArray(schema, value, place, depth),
            _ => null,
        };
    }

    private static string? CheckObject(JsonElement schema, JsonElement value, string place, int depth)
    {
        if (schema.TryGetProperty("required", out var required))
            foreach (var name in required.EnumerateArray())
                if (!value.TryGetProperty(name.GetString()!, out _))
                    return $"{place} lacks '{name.GetString()}'.";

        var hasProperties = schema.TryGetProperty("properties", out var properties);
        var hasRest = schema.TryGetProperty("additionalProperties", out var rest);
        foreach (var member in value.EnumerateObject())
        {
            if (hasProperties && properties.TryGetProperty(member.Name, out var known))
            {
                if (Check(known, member.Value, $"'{member.Name}'", depth + 1) is { } problem)
                    return problem;
            }
            else if (hasRest && rest.ValueKind == JsonValueKind.False)
                return $"{place} has '{member.Name}', which is not known here.";
            else if (hasRest && Check(rest, member.Value, $"'{member.Name}'", depth + 1) is { } problem)
                return problem;
        }
        return null;
    }

    private static string? CheckArray(JsonElement schema, JsonElement value, string place, int depth)
    {
        if (!schema.TryGetProperty("items", out var items))
            return null;
        var index = 0;
        foreach (var item in value.EnumerateArray())
            if (Check(items, item, $"{place}[{index++}]", depth + 1) is { } problem)
                return problem;
        return null;
    }

    private static bool IsOfType(JsonElement type, JsonElement value) => type.ValueKind == JsonValueKind.Array
        ? type.EnumerateArray().Any(choice => IsOfType(choice, value))
        : type.GetString() switch
        {
            "object" => value.ValueKind == JsonValueKind.Object,
            "array" => value.ValueKind == JsonValueKind.Array,
            "string" => value.ValueKind == JsonValueKind.String,
            "number" => value.ValueKind == JsonValueKind.Number,
            // 3.0 is an integer to JSON Schema.
            "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetDecimal(out var number) && decimal.IsInteger(number),
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "null" => value.ValueKind == JsonValueKind.Null,
            _ => false,
        };

    private static string Describe(JsonElement type) => type.ValueKind switch
    {
        JsonValueKind.Array => string.Join(" or ", type.EnumerateArray().Select(choice => choice.GetString())),
        JsonValueKind.String when type.GetString() is "object" or "array" or "integer" => $"an {type.GetString()}",
        JsonValueKind.String => $"a {type.GetString()}",
        _ => "something else",
    };

    private static string DescribeKind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };
}
