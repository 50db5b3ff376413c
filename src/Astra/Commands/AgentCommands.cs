using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

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
        return new Command("agent", "See and steer agents.")
        {
            list,
            CreateControl(surroundings, shared, "pause", "Hand out nothing of an agent's goals any more; what runs goes on to its end.", (client, name, token) => client.PauseAgentAsync(name, cancellationToken: token), "is paused"),
            CreateControl(surroundings, shared, "resume", "Hand a paused agent's steps out again.", (client, name, token) => client.ResumeAgentAsync(name, token), "goes on"),
            CreateWeight(surroundings, shared),
        }.WithExamples("agent list", "agent pause auditor", "agent weight auditor 200");
    }

    private static Command CreateControl(
        Surroundings surroundings, SharedOptions shared, string verb, string description, Func<IAstraClient, string, CancellationToken, Task<ControlsView>> change, string done)
    {
        var name = new Argument<string>("NAME") { Description = "The agent." };
        var json = SharedOptions.Json();
        var command = new Command(verb, description) { name, json };
        command.WithExamples($"agent {verb} auditor", $"agent {verb} auditor --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var controls = await change(session.Client, parsed.GetValue(name)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, controls);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Agent {parsed.GetValue(name)} {done}.");
        });
        return command;
    }

    private static Command CreateWeight(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("NAME") { Description = "The agent." };
        var weight = new Argument<int>("WEIGHT") { Description = "1 to 10000; 100 is what everyone has." };
        var json = SharedOptions.Json();
        var command = new Command("weight", "Give an agent more or less of its tenant's slot time.") { name, weight, json };
        command.WithExamples("agent weight auditor 200");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var controls = await session.Client.SetAgentWeightAsync(parsed.GetValue(name)!, parsed.GetValue(weight), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, controls);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Agent {parsed.GetValue(name)} has weight {parsed.GetValue(weight)}.");
        });
        return command;
    }
}
