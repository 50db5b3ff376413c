using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra ps`: the tree of actors of a running server.</summary>
public static class PsCommand
{
    private const int Everything = 64;
    private const int ChildrenMax = 1_000;

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var path = new Argument<string>("PATH") { Description = "Where in the tree to begin.", DefaultValueFactory = _ => "/" };
        var depth = new Option<int>("--depth") { Description = "Levels below it to list.", HelpName = "N", DefaultValueFactory = _ => 2 };
        var limit = new Option<int>("--limit")
        {
            Description = "Children of each actor to list, those that need attention first.", HelpName = "N", DefaultValueFactory = _ => 20,
        };
        var all = new Option<bool>("--all") { Description = "List every level, and up to 1000 children of each actor." };
        var node = ActorCommands.Node();
        var json = SharedOptions.Json();
        depth.Validators.Add(result => Inputs.Between(result, "--depth", 0, Everything));
        limit.Validators.Add(result => Inputs.Between(result, "--limit", 0, ChildrenMax));
        var command = new Command("ps", "Show the actors of the server: state, mailbox, restarts, last failure.") { path, depth, limit, all, node, json };
        command.WithExamples("ps", "ps /shards --limit 5", "ps --all --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var server = await ActorCommands.FindServerAsync(parsed, surroundings, shared, cancellationToken);
            var isAll = parsed.GetValue(all);
            var tree = await server.Client.GetActorsAsync(
                parsed.GetValue(path)!, isAll ? Everything : parsed.GetValue(depth), isAll ? ChildrenMax : parsed.GetValue(limit), parsed.GetValue(node), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, tree);
            else
                ActorViews.WriteTree(surroundings.Terminal, tree.Actor);
        });
        return command;
    }
}
