using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra agent ...`</summary>
public static class AgentCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var list = new Command("list", "List agents and how many workers offer each.") { json };
        list.WithExamples("agent list", "agent list --json");
        list.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var agents = await session.Client.ListAgentsAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, agents);
            else
                GoalViews.WriteAgents(surroundings.Terminal, agents);
        });
        return new Command("agent", "See agents.") { list }.WithExamples("agent list");
    }
}
