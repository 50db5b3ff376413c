using System.Runtime.InteropServices;
using System.Text.Json;
using Astra.Auditor;
using Astra.Governance;
using Astra.Kernel;
using Astra.Sdk;
using Astra.Tools.Catalog;
using Astra.Tools.Sandboxes;

namespace Astra.Hosting;

/// <summary>What the binary ships with: its agents, its tools, and what these may do.</summary>
internal static class BuiltIn
{
    private const string InsideAstra = "/astra";
    private const string InsideDotnet = "/dotnet";

    public static ToolCatalog Catalog()
    {
        var catalog = new ToolCatalog().Add(ShellForm.Definition, new ShellForm());
        foreach (var definition in AuditorTools.Definitions)
            catalog.Add(definition);
        return catalog;
    }

    public static async Task RegisterAgentsAsync(IReadOnlyCollection<Agent> agents, TenantId home, IAgentStore registry, CancellationToken cancellationToken)
    {
        foreach (var agent in agents)
            await registry.RegisterAsync(home, new AgentDefinition(agent.Name, Class: null, agent.Description), cancellationToken);
    }

    /// <summary>
    /// Deny by default. Steps of any tenant may use the shell, which sees nothing of the host. The auditor reads what its
    /// goal names, for the tenant of whoever runs this server and for no other: to name a path is to read it. An agent that is a
    /// profile has what everybody has, as far as its profile names it.
    /// </summary>
    public static ToolAuthority AuthorityOf(TenantId home) => subject => subject.Agent switch
    {
        not null when subject.ProfileTools is { } named => new ToolGrants { Tools = [.. named.Where(tool => tool.Split('@')[0] == ShellForm.Definition.Name)] },
        null => new ToolGrants { Tools = [ShellForm.Definition.Name] },
        AuditorAgent.AgentName when subject.Tenant == home => new ToolGrants
        {
            Tools = [AuditorTools.DiscoverName, AuditorTools.InspectName],
            ReadableRoots = RootsOf(subject.GoalInput),
        },
        _ => ToolGrants.None,
    };

    /// <summary>This binary and its runtime at neutral places inside, started without anything that costs time there.</summary>
    public static AstraProgram AstraInsideACage()
    {
        // …/dotnet/shared/Microsoft.NETCore.App/10.0.x/
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return new AstraProgram(
            [$"{InsideDotnet}/dotnet", $"{InsideAstra}/astra.dll"],
            [new ReadOnlyMount(AppContext.BaseDirectory.TrimEnd('/'), InsideAstra), new ReadOnlyMount(dotnet, InsideDotnet)],
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["DOTNET_ROOT"] = InsideDotnet,
                ["DOTNET_EnableDiagnostics"] = "0",
                ["DOTNET_gcConcurrent"] = "0",
                ["DOTNET_TieredPGO"] = "0",
            });
    }

    private static IReadOnlyCollection<string> RootsOf(ReadOnlyMemory<byte> goalInput)
    {
        try
        {
            return [.. AstraJson.Read<AuditRequest>(goalInput.Span).ReadableRoots()];
        }
        catch (JsonException)
        {
            // The agent will say what is wrong with its input; until then it may read nothing.
            return [];
        }
    }
}
