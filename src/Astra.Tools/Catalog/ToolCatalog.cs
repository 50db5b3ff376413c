using Astra.Sdk;

namespace Astra.Tools.Catalog;

/// <summary>A tool and how its program is spoken to.</summary>
public sealed record CatalogTool(ToolDefinition Definition, IToolForm Form)
{
    public string Label => $"{Definition.Name}@{Definition.Version}";
}

/// <summary>The tools a server knows, by name and version. Filled before the server starts and not changed after.</summary>
public sealed class ToolCatalog
{
    private const string StepPrefix = "tool:";

    private readonly Dictionary<string, CatalogTool> _byLabel = new(StringComparer.Ordinal);

    public IReadOnlyCollection<CatalogTool> Tools => [.. _byLabel.Values.Distinct()];

    /// <summary>Everything a tool can be asked for by: `name@version`, and `name` for its latest version.</summary>
    public IReadOnlyCollection<string> Labels => _byLabel.Keys;

    public ToolCatalog Add(ToolDefinition definition, IToolForm? form = null)
    {
        if (definition.Name.Length == 0 || !definition.Name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-'))
            throw new ArgumentException($"'{definition.Name}' cannot be a tool's name; use lower-case letters, digits and dashes.");
        if (definition.Version.Length == 0 || definition.Version.Contains('@'))
            throw new ArgumentException($"'{definition.Version}' cannot be a version of {definition.Name}.");
        if (definition.Command.Count == 0)
            throw new ArgumentException($"Tool {definition.Name} has no command.");
        var tool = new CatalogTool(definition, form ?? JsonForm.Instance);
        if (!_byLabel.TryAdd(tool.Label, tool))
            throw new ArgumentException($"There is a tool {tool.Label} already.");
        if (!_byLabel.TryGetValue(definition.Name, out var latest) || CompareVersions(definition.Version, latest.Definition.Version) > 0)
            _byLabel[definition.Name] = tool;
        return this;
    }

    /// <param name="label">`name` or `name@version`.</param>
    public CatalogTool? Find(string label) => _byLabel.GetValueOrDefault(label);

    /// <summary>How many people have to agree before a step of this executor is handed out: what the kernel asks when it is planned.</summary>
    public int VotesNeeded(string executor) =>
        executor.StartsWith(StepPrefix, StringComparison.Ordinal) && Find(executor[StepPrefix.Length..]) is { Definition.NeedsPerson: true } ? 1 : 0;

    /// <summary>Number by number, so that 10 comes after 9; what is no number is compared as text.</summary>
    private static int CompareVersions(string left, string right)
    {
        var (lefts, rights) = (left.Split('.'), right.Split('.'));
        for (var i = 0; i < Math.Max(lefts.Length, rights.Length); i++)
        {
            var (l, r) = (lefts.ElementAtOrDefault(i) ?? "0", rights.ElementAtOrDefault(i) ?? "0");
            var order = long.TryParse(l, out var leftNumber) && long.TryParse(r, out var rightNumber)
                ? leftNumber.CompareTo(rightNumber) : string.CompareOrdinal(l, r);
            if (order != 0)
                return order;
        }
        return 0;
    }
}
