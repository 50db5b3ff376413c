using Astra.Sdk;
using YamlDotNet.RepresentationModel;

namespace Astra.Agents;

/// <summary>
/// A profile in YAML, or in JSON, which is YAML too: `name`, `prompt`, and whatever else an agent without code has. A document
/// is a text or a file beside the profile.
/// </summary>
public static class ProfileFile
{
    private static readonly string[] Keys = ["name", "description", "model", "prompt", "documents", "tools", "planner", "repairs", "limits"];

    /// <param name="readDocument">Reads a file that the profile names; it throws what it likes when there is none.</param>
    /// <exception cref="PlanFileException">The file is wrong; the message is one sentence that begins with the line.</exception>
    public static AgentProfile Parse(string yaml, Func<string, string> readDocument)
    {
        var root = YamlReading.Mapping(YamlReading.Load(yaml, "A profile"), "A profile", Keys);
        return new AgentProfile
        {
            Name = YamlReading.Text(root.Required("name"), "name"),
            Description = root.Optional("description") is { } description ? YamlReading.Text(description, "description") : "",
            Model = root.Optional("model") is { } model ? YamlReading.Text(model, "model") : "auto",
            Prompt = YamlReading.Text(root.Required("prompt"), "prompt"),
            Documents = root.Optional("documents") is { } documents ? [.. YamlReading.List(documents, "documents").Select(node => ReadDocument(node, readDocument))] : [],
            Tools = root.Optional("tools") is { } tools ? [.. YamlReading.List(tools, "tools").Select(tool => YamlReading.Text(tool, "tools"))] : [],
            Planner = root.Optional("planner") is { } planner && YamlReading.Choice(planner, "planner", ["none", "model"]) == "model" ? ProfilePlanner.Model : ProfilePlanner.None,
            Repairs = root.Optional("repairs") is { } repairs ? YamlReading.Number(repairs, "repairs", 0, 10) : new AgentProfile { Name = "", Prompt = "" }.Repairs,
            Limits = root.Optional("limits") is { } limits ? ReadLimits(limits) : new ProfileLimits(),
        };
    }

    private static ProfileDocument ReadDocument(YamlNode node, Func<string, string> readDocument)
    {
        var document = YamlReading.Mapping(node, "A document", ["name", "text", "file"]);
        if (document.Optional("file") is not { } file)
            return new ProfileDocument(YamlReading.Text(document.Required("name"), "name"), YamlReading.Text(document.Required("text"), "text"));
        if (document.Optional("text") is not null)
            throw new PlanFileException(file.Start.Line, "A document is a 'text' or a 'file', not both.");
        var path = YamlReading.Text(file, "file");
        try
        {
            return new ProfileDocument(document.Optional("name") is { } name ? YamlReading.Text(name, "name") : Path.GetFileName(path), readDocument(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new PlanFileException(file.Start.Line, $"The document {path} cannot be read: {FailureCause.Sentence(e)}");
        }
    }

    private static ProfileLimits ReadLimits(YamlNode node)
    {
        var limits = YamlReading.Mapping(node, "'limits'", ["steps", "tokens", "dollars"]);
        var defaults = new ProfileLimits();
        return new ProfileLimits
        {
            Steps = limits.Optional("steps") is { } steps ? YamlReading.Number(steps, "steps", 1, 1_000) : defaults.Steps,
            Tokens = limits.Optional("tokens") is { } tokens ? YamlReading.Number(tokens, "tokens", 1, 100_000_000) : defaults.Tokens,
            Dollars = limits.Optional("dollars") is { } dollars ? (decimal)YamlReading.Decimal(dollars, "dollars", 0.000001, 1_000_000) : null,
        };
    }
}
