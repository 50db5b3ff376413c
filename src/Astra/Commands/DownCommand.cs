using System.CommandLine;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra down`: asks the server to stop, and returns when it has.</summary>
public static class DownCommand
{
    // Running tasks are given time to report, then the database shuts down and writes what it holds.
    private static readonly TimeSpan StopTimeMax = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(50);

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var command = new Command("down", "Stop the server and its database. What it was doing goes on at the next start.");
        command.WithExamples("down");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            await using var server = await access.FindAsync(cancellationToken);
            if (server is null)
            {
                if (access.Data.IsLocked())
                    throw access.Wedged();
                await surroundings.Terminal.Out.WriteLineAsync("Astra is not running.");
                return ExitCodes.Ok;
            }

            await server.Link.RequestStopAsync(cancellationToken);
            var asked = surroundings.Clock.GetTimestamp();
            while (access.Data.IsLocked())
            {
                if (surroundings.Clock.GetElapsedTime(asked) > StopTimeMax)
                {
                    throw new CommandException(
                        $"Process {server.File.Pid} has agreed to stop but is still there after {StopTimeMax.TotalSeconds:0} s; see {access.Data.LogPath}, or end it.");
                }

                await Task.Delay(PollPeriod, surroundings.Clock, cancellationToken);
            }

            await surroundings.Terminal.Out.WriteLineAsync("Astra has stopped.");
            return ExitCodes.Ok;
        });
        return command;
    }
}
