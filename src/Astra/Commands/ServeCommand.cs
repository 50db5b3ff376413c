using System.CommandLine;
using System.Net;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra serve`: the server in the foreground, until Ctrl-C or `astra down`.</summary>
public static class ServeCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var place = new ListenOptions();
        var detached = new Option<bool>("--detached") { Hidden = true };
        var command = new Command("serve", "Run the server here, until Ctrl-C.") { place.Listen, place.Port, detached };
        command.WithExamples("serve", "serve --port 8080 --data /srv/astra", "serve --database postgres://astra@db.example/astra");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            TextWriter log = surroundings.Terminal.Error;
            TextWriter OpenLog() => log = parsed.GetValue(detached) ? NewLog(access.Data) : log;
            try
            {
                await using var server = await access.ServeAsync(parsed.GetValue(place.Listen)!, parsed.GetValue(place.Port), OpenLog, cancellationToken);
                await log.WriteLineAsync($"Astra answers at {server.Address} (data in {access.Data.Path}).");
                await Task.WhenAny(server.StopRequested, Task.Delay(Timeout.Infinite, cancellationToken));
                await log.WriteLineAsync("Stopping.");
                if (server.Failure is { } failure)
                    throw new CommandException(failure, ExitCodes.NodeFailed);
                return ExitCodes.Ok;
            }
            catch (Exception e) when (parsed.GetValue(detached))
            {
                // Nobody sees this process's terminal; `up` reads the last line of the log and passes it on.
                await log.WriteLineAsync(Sentences.Of(e).Sentence);
                throw;
            }
        });
        return command;
    }

    /// <remarks>Begun anew by whoever holds the lock, so that a second server does not write into the first one's log.</remarks>
    private static StreamWriter NewLog(DataDirectory data) =>
        new(new FileStream(data.LogPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
}

/// <summary>Where a server that stays listens.</summary>
public sealed class ListenOptions
{
    public Option<string> Listen { get; } = new("--listen")
    {
        Description = "The address to listen on. Anything but 127.0.0.1 lets the network reach the server.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    public Option<int> Port { get; } = new("--port")
    {
        Description = "The port to listen on; 0 takes any that is free.",
        HelpName = "PORT",
        DefaultValueFactory = _ => ServerOptions.DefaultPort,
    };

    public ListenOptions()
    {
        Listen.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { } address || !IPAddress.TryParse(address, out _))
                result.AddError("--listen takes an IP address, such as 127.0.0.1 or 0.0.0.0");
        });
        Port.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var port) && port is < 0 or > 65535)
                result.AddError($"--port takes a number from 0 to 65535, not {port}");
        });
    }
}
