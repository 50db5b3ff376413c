using Astra.Sdk;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>An entry of a plan file that is no step of its own: for each item of a list that another step gives there will be
/// one.</summary>
/// <param name="Over">The step whose output has the list.</param>
internal sealed record PlanFileFanOut(string Over, FanOut FanOut, long Line)
{
    private const string Key = "fan_out";

    public static bool IsOne(YamlNode entry) => entry is YamlMappingNode mapping && mapping.Children.Keys.Any(key => key is YamlScalarNode { Value: Key });

    /// <param name="readStep">Reads what each part is, as a step.</param>
    public static PlanFileFanOut Read(YamlNode entry, Func<YamlNode, AddStep> readStep)
    {
        var named = YamlReading.Mapping(entry, "A fan-out", ["name", Key]);
        var node = named.Required(Key);
        var fanOut = YamlReading.Mapping(node, $"'{Key}'", ["over", "step", "join"]);
        var overNode = fanOut.Required("over");
        var (step, path) = ReadOver(YamlReading.Text(overNode, "over"), overNode.Start.Line);
        return new PlanFileFanOut(step, new FanOut
        {
            Path = path,
            Step = readStep(WithName(fanOut.Required("step"), named.Required("name"))),
            Join = fanOut.Optional("join") is { } join ? YamlReading.Text(join, "join") : null,
        }, entry.Start.Line);
    }

    /// <summary>`list`, `list.output` or `list.output.files.names`.</summary>
    private static (string Step, string? Path) ReadOver(string over, long line)
    {
        const string Output = ".output";
        var at = over.IndexOf(Output, StringComparison.Ordinal);
        if (at < 0)
            return (over, null);
        var rest = over[(at + Output.Length)..];
        return rest is "" ? (over[..at], null)
            : rest[0] == '.' && rest.Length > 1 ? (over[..at], rest[1..])
            : throw new PlanFileException(line, $"'over' is a step and where in its output the list is, as in `list.output.files`; '{over}' is not.");
    }

    /// <summary>The parts are named after the fan-out, so their step has no name of its own to give.</summary>
    private static YamlNode WithName(YamlNode step, YamlNode name)
    {
        if (step is not YamlMappingNode mapping)
            return step;
        if (mapping.Children.Keys.FirstOrDefault(key => key is YamlScalarNode { Value: "name" }) is { } own)
            throw new PlanFileException(own.Start.Line, "The step of a fan-out has no name: its parts are named after the fan-out.");
        mapping.Children.Add(new YamlScalarNode("name"), name);
        return mapping;
    }
}
