using System.CommandLine;
using System.Text.Json;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra send`: one message to one agent, and its answer.</summary>
public static class SendCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var name = AgentCommands.Name();
        var message = new Argument<string>("MESSAGE") { Description = "JSON, @FILE to read it from a file, or - for standard input." };
        var json = SharedOptions.Json();
        var command = new Command("send", "Send an agent a message and print its answer. It wakes if it sleeps.") { name, message, json };
        command.WithExamples("send tally-1 '{\"add\": 2}'", "send tally-1 @message.json", "echo '{\"add\": 2}' | astra send tally-1 - --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = parsed.GetValue(message)!;
            var body = Inputs.Json(given == "-" ? "@-" : given, "the message", surroundings.Terminal.In)!.Value;
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var answer = await session.Client.SendAsync(parsed.GetValue(name)!, body, cancellationToken);
            if (!parsed.GetValue(json) && answer is null or { ValueKind: JsonValueKind.String })
                await surroundings.Terminal.Out.WriteLineAsync(answer?.GetString() ?? "The agent has nothing to say.");
            else
                JsonOutput.Write(surroundings.Terminal.Out, answer);
        });
        return command;
    }
}
