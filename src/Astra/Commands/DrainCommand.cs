using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra drain`: before a server is stopped, let it finish what runs and give the rest away.</summary>
public static class DrainCommand
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(500);

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var off = new Option<bool>("--off") { Description = "Hand out work again." };
        var wait = new Option<bool>("--wait") { Description = "Return when nothing runs here any more and other servers, if there are any, have the shards." };
        var json = SharedOptions.Json();
        var command = new Command("drain", "Hand out nothing on this server any more, finish what runs, and give its shards to others.") { off, wait, json };
        command.WithExamples("drain --wait", "drain --off");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var status = await session.Client.DrainAsync(!parsed.GetValue(off), cancellationToken);
            while (parsed.GetValue(wait) && !parsed.GetValue(off) && !IsEmpty(status))
            {
                await Task.Delay(LookPeriod, surroundings.Clock, cancellationToken);
                status = await session.Client.GetStatusAsync(cancellationToken);
            }
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, status);
            else
                await surroundings.Terminal.Out.WriteLineAsync(status.Draining
                    ? $"Node {status.NodeId} drains: {status.TasksRunning} tasks run, {status.ShardsOwned} shards are here."
                    : $"Node {status.NodeId} hands out work.");
        });
        return command;
    }

    private static bool IsEmpty(StatusView status) => status.TasksRunning == 0 && (status.ShardsOwned == 0 || status.Nodes.Count(node => node.Alive) <= 1);
}
