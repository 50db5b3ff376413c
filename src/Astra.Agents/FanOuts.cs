using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Astra.Sdk;

namespace Astra.Agents;

/// <summary>
/// A list in a step's output becomes steps, handed in with the completion: both are in one commit, and a completion that is
/// repeated finds them there. The kernel keeps what a step fans out into without reading it.
/// </summary>
public static partial class FanOuts
{
    private const string Item = "item";
    private const string Index = "index";

    public static byte[] ToBytes(IReadOnlyList<FanOut> fanOut) => AstraJson.Write(fanOut);

    public static IReadOnlyList<FanOut> Parse(ReadOnlyMemory<byte> bytes) => bytes.IsEmpty ? [] : AstraJson.Read<IReadOnlyList<FanOut>>(bytes.Span);

    /// <summary>The steps that an output becomes.</summary>
    /// <param name="isPart">The step is part of a fan-out itself, so that its parts need its name to be told from others'.</param>
    /// <exception cref="PermanentFailureException">There is no list where one should be: no other attempt would change that.</exception>
    public static IReadOnlyList<PlanEdit> Expand(IReadOnlyList<FanOut> fanOuts, string step, bool isPart, JsonElement output)
    {
        var edits = new List<PlanEdit>();
        foreach (var fanOut in fanOuts)
        {
            var list = Find(output, fanOut.Path) is { ValueKind: JsonValueKind.Array } found
                ? found
                : throw new PermanentFailureException(
                    $"Step {step} fans out into {fanOut.Step.Name} over {(fanOut.Path is { } path ? $"'{path}' of its output" : "its output")}, and there is no list there.");
            var prefix = isPart ? $"{step}/{fanOut.Step.Name}" : fanOut.Step.Name;
            var parts = list.EnumerateArray().Select((item, i) => Part(fanOut.Step, $"{prefix}-{i + 1}", step, item, i + 1)).ToList();
            edits.AddRange(parts.Select(part => part with { Group = prefix }));
            var ends = parts.Select(part => new StepDependency(part.Name, OnlyCompleted: fanOut.Join is not null)).ToList();
            if (ends.Count > 0)
                edits.Add(fanOut.Join is { } join ? new ExtendStep(join, ends) : new ReflectAfter(ends));
        }
        return edits;
    }

    private static AddStep Part(AddStep template, string name, string source, JsonElement item, int index) => template with
    {
        Name = name,
        After = [new StepDependency(source, OnlyCompleted: true), .. template.After.Where(after => after.Step != source)],
        Input = template.Input is { } input ? JsonSerializer.SerializeToElement(Fill(JsonNode.Parse(input.GetRawText()), item, index), AstraJson.Options) : item,
    };

    private static JsonNode? Fill(JsonNode? node, JsonElement item, int index) => node switch
    {
        JsonObject map => new JsonObject(map.Select(pair => KeyValuePair.Create(pair.Key, Fill(pair.Value, item, index)))),
        JsonArray list => new JsonArray([.. list.Select(value => Fill(value, item, index))]),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => Fill(value.GetValue<string>(), item, index),
        _ => node?.DeepClone(),
    };

    /// <summary>A text that is nothing but a placeholder becomes what that stands for, whatever it is; within a longer one
    /// it becomes text.</summary>
    private static JsonNode? Fill(string text, JsonElement item, int index)
    {
        if (Placeholder().Match(text) is { Success: true } whole && whole.Length == text.Length)
            return ValueOf(whole, item, index) is { } value ? JsonNode.Parse(value.GetRawText()) : null;
        return JsonValue.Create(Placeholder().Replace(text, match => ValueOf(match, item, index) switch
        {
            null => "",
            { ValueKind: JsonValueKind.String } inText => inText.GetString()!,
            { } other => other.GetRawText(),
        }));
    }

    private static JsonElement? ValueOf(Match placeholder, JsonElement item, int index) => placeholder.Groups["what"].Value == Index
        ? JsonElement.Parse(index.ToString(CultureInfo.InvariantCulture))
        : Find(item, placeholder.Groups["path"] is { Success: true } path ? path.Value : null);

    private static JsonElement? Find(JsonElement value, string? path)
    {
        foreach (var name in path?.Split('.') ?? [])
        {
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var property))
                value = property;
            else if (value.ValueKind == JsonValueKind.Array && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at < value.GetArrayLength())
                value = value[at];
            else
                return null;
        }
        return value;
    }

    [GeneratedRegex(@"\$\{(?<what>" + Item + @"(\.(?<path>[^}]+))?|" + Index + @")\}")]
    private static partial Regex Placeholder();
}
