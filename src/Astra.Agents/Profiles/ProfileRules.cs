using Astra.Sdk;
using Astra.Tools.Catalog;

namespace Astra.Agents;

/// <summary>What a profile may say. One sentence for each fault, the first one found.</summary>
public static class ProfileRules
{
    /// <summary>With room for the rest of a question within what a model reads, and for a step's input within what a task holds.</summary>
    public const int BytesMax = 128 << 10;

    private const int NameLengthMax = 200;
    private const int DescriptionLengthMax = 1_000;
    private const int RepairsMax = 10;
    private const int StepsMax = 1_000;
    private const long TokensMax = 100_000_000;
    private const decimal DollarsMax = 1_000_000;

    public static string? Problem(AgentProfile profile, ToolCatalog catalog) =>
        !AgentRunner.IsName(profile.Name) ? "A profile's `name` is lower-case letters, digits and dashes, at most 100."
        : profile.Description.Length > DescriptionLengthMax || profile.Description.Any(char.IsControl) ? $"A profile's `description` is one line of at most {DescriptionLengthMax} characters."
        : profile.Model.Length is 0 or > NameLengthMax || profile.Model.Any(char.IsControl) ? "`model` is a model, a tier or a route, such as standard or openai/gpt-5."
        : string.IsNullOrWhiteSpace(profile.Prompt) ? "A profile has a `prompt`: what the agent is told before anything else."
        : ProblemOfDocuments(profile.Documents)
        ?? ProblemOfTools(profile.Tools, catalog)
        ?? ProblemOfLimits(profile)
        ?? (AstraJson.Write(profile).Length is var bytes && bytes > BytesMax ? $"A profile has at most {BytesMax >> 10} KiB with its documents, and this one has {(bytes + 1023) >> 10}." : null);

    private static string? ProblemOfDocuments(IReadOnlyList<ProfileDocument> documents) =>
        documents.Any(document => document is null) ? "One of the documents is null; each has a `name` and a `text`."
        : documents.FirstOrDefault(document => document.Name.Length is 0 or > NameLengthMax || document.Name.Any(char.IsControl)) is { } nameless
            ? $"A document has a name of one line, at most {NameLengthMax} characters; '{PlainName(nameless.Name)}' is none."
        : documents.GroupBy(document => document.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice
            ? $"There are two documents named '{twice.Key}'; names are unique within a profile."
        : null;

    private static string? ProblemOfTools(IReadOnlyList<string> tools, ToolCatalog catalog) =>
        tools.Any(tool => tool is null) ? "One of the tools is null; each is a tool's name."
        : tools.FirstOrDefault(tool => catalog.Find(tool) is null) is { } unknown
            ? $"There is no tool '{PlainName(unknown)}' here; there is {string.Join(", ", catalog.Tools.Select(tool => tool.Label).Order(StringComparer.Ordinal))}."
        : tools.GroupBy(tool => catalog.Find(tool)!.Label, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice
            ? $"The tool {twice.Key} is named twice; say it once."
        : null;

    private static string? ProblemOfLimits(AgentProfile profile) =>
        profile.Repairs is < 0 or > RepairsMax ? $"`repairs` is a number from 0 to {RepairsMax}."
        : profile.Limits.Steps is < 1 or > StepsMax ? $"`limits.steps` is a number from 1 to {StepsMax}."
        : profile.Limits.Tokens is < 1 or > TokensMax ? $"`limits.tokens` is a number from 1 to {TokensMax}."
        : profile.Limits.Dollars is <= 0 or > DollarsMax ? $"`limits.dollars` is more than 0 and at most {DollarsMax}; leave it out for no limit."
        : null;

    private static string PlainName(string name) => string.Concat(name.Take(NameLengthMax).Select(letter => char.IsControl(letter) ? ' ' : letter));
}
