using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra restart PATH` and `astra kill PATH`.</summary>
public static class ActorCommands
{
    public static Command CreateRestart(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("restart", "Give an actor a new incarnation; what waits in its mailbox stays.");
        return Finish(
            command, surroundings, shared, (client, path, node, token) => client.RestartActorAsync(path, node, token), "is being restarted",
            "restart /shards/shard-17", "restart /scheduler --json");
    }

    public static Command CreateKill(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("kill", "Stop an actor: its message is finished, those that wait become dead letters.");
        return Finish(
            command, surroundings, shared, (client, path, node, token) => client.StopActorAsync(path, node, token), "is being stopped",
            "kill /agents/NAME", "kill /agents/NAME --json");
    }

    /// <summary>The running server. These commands are about what runs, so they start nothing.</summary>
    public static async Task<ServerSession> FindServerAsync(
        ParseResult parsed, Surroundings surroundings, SharedOptions shared, CancellationToken cancellationToken)
    {
        var access = shared.ServerOf(parsed, surroundings);
        return await access.FindAsync(cancellationToken) ?? throw new CommandException(
            $"Astra is not running (data in {access.Data.Path}); start it with: {shared.Again(parsed, surroundings, "up")}", ExitCodes.NotRunning);
    }

    public static Option<string?> Node() => new("--node") { Description = "Another node of the fleet, by its id (see `astra status`).", HelpName = "NODE" };

    private static Command Finish(
        Command command, Surroundings surroundings, SharedOptions shared, Func<IAstraClient, string, string?, CancellationToken, Task<ActorView>> send, string done, params string[] examples)
    {
        var path = new Argument<string>("PATH") { Description = "The actor, as `astra ps` prints it." };
        var node = Node();
        var json = SharedOptions.Json();
        command.Arguments.Add(path);
        command.Options.Add(node);
        command.Options.Add(json);
        command.WithExamples(examples);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var server = await FindServerAsync(parsed, surroundings, shared, cancellationToken);
            var actor = await send(server.Client, parsed.GetValue(path)!, parsed.GetValue(node), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, actor);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"{Tables.Printable(actor.Path)} {done}.");
        });
        return command;
    }
}
