using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Astra.Sdk;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>YAML as plan files use it, with the line in every complaint.</summary>
internal static class YamlReading
{
    // An alias may stand for a node that holds aliases: what is ten lines in the file can be a billion in memory.
    private const int InputNodesMax = 100_000;
    private const int InputDepthMax = 32;

    public static YamlNode Load(string yaml, string what = "A plan file")
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(yaml));
        }
        catch (YamlException e)
        {
            // What is missing at the end is reported on the line after it.
            throw new PlanFileException(Math.Min(e.Start.Line, yaml.AsSpan().Count('\n') + 1), $"This is not YAML: {FailureCause.Sentence(e)}");
        }
        return stream.Documents.Count == 1
            ? stream.Documents[0].RootNode
            : throw new PlanFileException(1, stream.Documents.Count == 0 ? "The file is empty." : $"{what} is one YAML document.");
    }

    public static YamlMapping Mapping(YamlNode node, string what, IReadOnlyList<string> keys)
    {
        if (node is not YamlMappingNode mapping)
            throw new PlanFileException(node.Start.Line, $"{what} is a mapping with {string.Join(", ", keys)}.");
        foreach (var (key, _) in mapping.Children)
            if (key is not YamlScalarNode { Value: { } name } || !keys.Contains(name))
                throw new PlanFileException(key.Start.Line, $"{what} has no '{key}'; it has {string.Join(", ", keys)}.");
        return new YamlMapping(mapping, what);
    }

    public static IEnumerable<YamlNode> List(YamlNode node, string what) => node is YamlSequenceNode list
        ? list.Children
        : throw new PlanFileException(node.Start.Line, $"'{what}' is a list.");

    public static string Text(YamlNode node, string what) => node is YamlScalarNode { Value: { Length: > 0 } text }
        ? text
        : throw new PlanFileException(node.Start.Line, $"'{what}' is a text that is not empty.");

    public static int Number(YamlNode node, string what, int min, int max) =>
        node is YamlScalarNode { Value: { } text } && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new PlanFileException(node.Start.Line, $"'{what}' is a number from {min} to {max}.");

    public static double Decimal(YamlNode node, string what, double min, double max) =>
        node is YamlScalarNode { Value: { } text } && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max
            ? number
            : throw new PlanFileException(node.Start.Line, $"'{what}' is a number from {min} to {max}.");

    /// <summary>With its offset: a plan file is read on machines of more than one time zone.</summary>
    public static DateTimeOffset Moment(YamlNode node, string what) =>
        node is YamlScalarNode { Value: { } text } && (text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > text.IndexOf('T', StringComparison.Ordinal)) && text.Contains('T')
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment)
            ? moment.ToUniversalTime()
            : throw new PlanFileException(node.Start.Line, $"'{what}' is a moment such as 2031-02-03T04:05:06Z.");

    public static string Choice(YamlNode node, string what, IReadOnlyList<string> choices) =>
        node is YamlScalarNode { Value: { } text } && choices.Contains(text)
            ? text
            : throw new PlanFileException(node.Start.Line, $"'{what}' is {string.Join(" or ", choices)}.");

    public static JsonElement ToJson(YamlNode node)
    {
        var left = InputNodesMax;
        return AstraJson.ToElement(ToJson(node, depth: 0, ref left));
    }

    private static JsonNode? ToJson(YamlNode node, int depth, ref int left)
    {
        if (--left < 0 || depth > InputDepthMax)
            throw new PlanFileException(node.Start.Line, $"An input has at most {InputNodesMax} values, {InputDepthMax} deep.");
        switch (node)
        {
            case YamlMappingNode mapping:
                var members = new JsonObject();
                foreach (var (key, value) in mapping.Children)
                    members[Text(key, "a key of an input")] = ToJson(value, depth + 1, ref left);
                return members;
            case YamlSequenceNode list:
                var items = new JsonArray();
                foreach (var item in list.Children)
                    items.Add(ToJson(item, depth + 1, ref left));
                return items;
            case YamlScalarNode scalar:
                return ToJson(scalar);
            default:
                throw new PlanFileException(node.Start.Line, "An input holds texts, numbers, lists and mappings.");
        }
    }

    /// <summary>What is quoted is text. What is not is what JSON would take it for, and text otherwise: YAML's own list
    /// of words that mean yes has surprised enough people.</summary>
    private static JsonValue? ToJson(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is not (ScalarStyle.Plain or ScalarStyle.Any))
            return JsonValue.Create(text);
        return text switch
        {
            "" or "null" or "~" => null,
            "true" => JsonValue.Create(true),
            "false" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => JsonValue.Create(whole),
            _ when (text[0] == '-' || char.IsAsciiDigit(text[0]))
                && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => JsonValue.Create(number),
            _ => JsonValue.Create(text),
        };
    }
}

/// <summary>A mapping all of whose keys are known.</summary>
internal readonly struct YamlMapping(YamlMappingNode node, string what)
{
    public YamlNode Required(string key) => Optional(key) ?? throw new PlanFileException(node.Start.Line, $"{what} needs '{key}'.");

    public YamlNode? Optional(string key) => node.Children.TryGetValue(new YamlScalarNode(key), out var value) ? value : null;
}
