using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra agent ...`</summary>
public static class AgentCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("agent", "Create, list, see, steer and remove agents. One that nobody sends to sleeps, and costs nothing.")
        {
            CreateAdd(surroundings, shared), CreateList(surroundings, shared), CreateCreate(surroundings, shared), CreateShow(surroundings, shared), CreateRemove(surroundings, shared),
            CreateControl(surroundings, shared, "pause", "Hand out nothing of an agent's goals any more; what runs goes on to its end.", (client, name, token) => client.PauseAgentAsync(name, cancellationToken: token), "is paused"),
            CreateControl(surroundings, shared, "resume", "Hand a paused agent's steps out again.", (client, name, token) => client.ResumeAgentAsync(name, token), "goes on"),
            CreateWeight(surroundings, shared),
        };
        return command.WithExamples("agent list", "agent add examples/profiles/tidy-writer.yaml", "agent create tally-1 --class counter", "agent show tally-1", "agent remove tally-1", "agent pause auditor", "agent weight auditor 200");
    }

    public static Argument<string> Name() => new("NAME")
    {
        Description = "The agent.",
        Validators =
        {
            result =>
            {
                if (result.Tokens.Count == 1 && !AgentRunner.IsName(result.Tokens[0].Value))
                    result.AddError($"'{result.Tokens[0].Value}' cannot be an agent's name; names are lower-case letters, digits and dashes");
            },
        },
    };

    private static Command CreateAdd(Surroundings surroundings, SharedOptions shared)
    {
        var file = new Argument<string>("FILE") { Description = "A profile in YAML or JSON: name, prompt, documents, tools, model, planner, limits." };
        var json = SharedOptions.Json();
        var command = new Command("add", "Make an agent of a profile, without code, or give one that is there another profile.") { file, json };
        command.WithExamples("agent add examples/profiles/tidy-writer.yaml", "agent add writer.yaml --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var reading = surroundings.ReadProfile(Inputs.ExistingFile(parsed.GetValue(file)!));
            if (reading.Profile is not { } profile)
                throw new CommandException(reading.Problem!);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var agent = await session.Client.SetProfileAsync(profile, cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, agent);
                return;
            }
            await surroundings.Terminal.Out.WriteLineAsync($"Agent {agent.Name} is there; `{surroundings.InvokedAs} goal submit --agent {agent.Name} --input '\"what to do\"'` gives it a goal.");
            if ((await session.Client.ListModelsAsync(cancellationToken)).Providers.Count == 0)
                await surroundings.Terminal.Error.WriteLineAsync($"No model is configured yet, and none was found on this machine; `{surroundings.InvokedAs} model add` adds a provider. Until then its goals fail.");
        });
        return command;
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var page = new PageOptions();
        var json = SharedOptions.Json();
        var command = new Command("list", "List agents by name, and how many workers offer each one's class.") { page.Limit, page.Cursor, json };
        command.WithExamples("agent list", "agent list --limit 500 --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var agents = await session.Client.ListAgentsAsync(parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, agents);
            else
                AgentViews.WriteAgents(surroundings.Terminal, agents);
        });
        return command;
    }

    private static Command CreateCreate(Surroundings surroundings, SharedOptions shared)
    {
        var name = Name();
        var agentClass = new Option<string?>("--class") { Description = "Whose code runs it: what a worker offers (default: its own name).", HelpName = "CLASS" };
        var description = new Option<string>("--description") { Description = "For people.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var idle = new Option<double?>("--idle") { Description = "After how many seconds without a message it sleeps (default: 300).", HelpName = "SECONDS" };
        var json = SharedOptions.Json();
        var command = new Command("create", "Create an agent, or describe it anew.") { name, agentClass, description, idle, json };
        command.WithExamples("agent create tally-1 --class counter", "agent create tally-2 --class counter --idle 30 --description 'Counts visits.'");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var agent = await session.Client.RegisterAgentAsync(
                new AgentRegistration(parsed.GetValue(name)!, parsed.GetValue(description)!) { Class = parsed.GetValue(agentClass), IdleSeconds = parsed.GetValue(idle) },
                cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, agent);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Agent {agent.Name} is there, of class {agent.Class}.");
        });
        return command;
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var name = Name();
        var json = SharedOptions.Json();
        var command = new Command("show", "Show an agent and its state, as last committed.") { name, json };
        command.WithExamples("agent show tally-1", "agent show tally-1 --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var agent = await session.Client.GetAgentAsync(parsed.GetValue(name)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, agent);
            else
                AgentViews.WriteAgent(surroundings.Terminal, agent);
        });
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var name = Name();
        var json = SharedOptions.Json();
        var command = new Command("remove", "Remove an agent and its state.") { name, json };
        command.WithExamples("agent remove tally-1");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RemoveAgentAsync(parsed.GetValue(name)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { name = parsed.GetValue(name), removed = true });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Agent {parsed.GetValue(name)} is gone, and so is its state.");
        });
        return command;
    }

    private static Command CreateControl(
        Surroundings surroundings, SharedOptions shared, string verb, string description, Func<IAstraClient, string, CancellationToken, Task<ControlsView>> change, string done)
    {
        var name = Name();
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
        var name = Name();
        var weight = Choices.Number("WEIGHT", "1 to 10000; 100 is what everyone has.", 1, 10_000);
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
