using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;

namespace Astra.Commands;

/// <summary>Words and numbers of which only some will do; what will is said to whoever types another.</summary>
public static class Choices
{
    public static Argument<T> Argument<T>(string name, string description) where T : struct, Enum => new(name)
    {
        Description = description, HelpName = name, CustomParser = Parse<T>,
    };

    public static Option<T> Option<T>(string name, string description, string helpName, T byDefault) where T : struct, Enum => new(name)
    {
        Description = description, HelpName = helpName, CustomParser = Parse<T>, DefaultValueFactory = _ => byDefault,
    };

    /// <summary>Null when it is not given.</summary>
    public static Option<T?> OptionalOption<T>(string name, string description, string helpName) where T : struct, Enum => new(name)
    {
        Description = description, HelpName = helpName, CustomParser = result => Parse<T>(result),
    };

    public static Option<int?> Count(string name, string description, int min) => new(name)
    {
        Description = description, HelpName = "COUNT",
        CustomParser = result => ParseNumber(result, name, min, int.MaxValue),
    };

    public static Argument<int> Number(string name, string description, int min, int max) => new(name)
    {
        Description = description,
        CustomParser = result => ParseNumber(result, name, min, max) ?? 0,
    };

    /// <summary>By its name alone: Enum.TryParse takes numbers too, and lists.</summary>
    public static bool TryParse<T>(string word, out T value) where T : struct, Enum
    {
        value = default;
        return Enum.GetNames<T>().Contains(word, StringComparer.OrdinalIgnoreCase) && Enum.TryParse(word, ignoreCase: true, out value);
    }

    private static T Parse<T>(ArgumentResult result) where T : struct, Enum
    {
        if (TryParse<T>(result.Tokens[0].Value.Replace("-", "", StringComparison.Ordinal), out var value))
            return value;
        result.AddError($"'{result.Tokens[0].Value}' is not one of {string.Join(", ", Enum.GetNames<T>().Select(JsonNamingPolicy.KebabCaseLower.ConvertName))}");
        return default;
    }

    private static int? ParseNumber(ArgumentResult result, string name, int min, int max)
    {
        if (int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
            return number;
        result.AddError($"{name} takes a number {(max == int.MaxValue ? $"of {min} or more" : $"from {min} to {max}")}, not '{result.Tokens[0].Value}'");
        return null;
    }
}
