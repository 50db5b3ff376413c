using System.Text.Json;
using System.Text.Json.Nodes;
using Astra.Sdk;
using Astra.Tools.Catalog;

namespace Astra.Agents;

/// <summary>The tools of a profile, by the names that models may call functions.</summary>
internal sealed class ProfileTools
{
    private const int NameLengthMax = 64;

    private readonly Dictionary<string, CatalogTool> _byName = new(StringComparer.Ordinal);

    public ProfileTools(AgentProfile profile, ToolCatalog catalog)
    {
        // One that has left the catalog since is not offered.
        foreach (var tool in profile.Tools.Select(catalog.Find).OfType<CatalogTool>().DistinctBy(tool => tool.Label))
        {
            var name = FunctionName(tool.Definition.Name);
            if (!_byName.TryAdd(name, tool))
                _byName.TryAdd(FunctionName(tool.Label), tool);
        }
    }

    public IReadOnlyDictionary<string, CatalogTool> ByName => _byName;

    /// <summary>`name` and `name@version` of each, as a plan may say it.</summary>
    public IReadOnlyCollection<string> Labels => [.. _byName.Values.SelectMany(tool => (string[])[tool.Definition.Name, tool.Label]).Distinct(StringComparer.Ordinal)];

    /// <summary>As OpenAI's chat describes functions.</summary>
    public IReadOnlyCollection<JsonObject> Described => [.. _byName.Select(tool => new JsonObject
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = tool.Key,
            ["description"] = tool.Value.Definition.Description,
            ["parameters"] = SchemaOf(tool.Value.Definition),
        },
    })];

    public static JsonNode SchemaOf(ToolDefinition tool) =>
        tool.InputSchema is { ValueKind: JsonValueKind.Object } schema ? JsonNode.Parse(schema.GetRawText())! : new JsonObject { ["type"] = "object" };

    private static string FunctionName(string name)
    {
        var plain = string.Concat(name.Select(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' ? letter : '_'));
        return plain.Length > NameLengthMax ? plain[..NameLengthMax] : plain;
    }
}

/// <summary>
/// The tool gate for an agent that is a profile. The profile is read at every call, so that a tool that was taken from it is gone
/// at once, also for a plan that was made before.
/// </summary>
internal sealed class ProfileGate(ToolGate gate, IProfileStore profiles, ToolSubject subject) : IToolGate
{
    public async ValueTask<ToolResult> CallAsync(ToolCall call, CancellationToken cancellationToken)
    {
        var now = subject.Agent is { } agent ? await profiles.FindAsync(subject.Tenant, agent, digest: null, cancellationToken) : null;
        return await gate.For(now is null ? subject : subject with { ProfileTools = now.Read().Tools }).CallAsync(call, cancellationToken);
    }
}
