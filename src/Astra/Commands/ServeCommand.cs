using System.CommandLine;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra serve`: the server in the foreground, until Ctrl-C or `astra down`.</summary>
public static class ServeCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var place = new ServeOptions();
        var detached = new Option<bool>("--detached") { Hidden = true };
        var command = new Command("serve", "Run the server here, until Ctrl-C.") { detached };
        place.AddTo(command);
        command.WithExamples("serve", "serve --port 8080 --data /srv/astra", "serve --log json --otlp http://collector.example:4318", "serve --database postgres://astra@db.example/astra");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            TextWriter log = surroundings.Terminal.Error;
            void Say(string sentence)
            {
                if (place.IsJsonLog(parsed))
                    new ServerLog(log, isJson: true).Say(sentence);
                else
                    log.WriteLine(sentence);
            }

            TextWriter OpenLog() => log = parsed.GetValue(detached) ? NewLog(access.Data) : log;
            try
            {
                await using var server = await access.ServeAsync(place.Of(parsed, surroundings), OpenLog, cancellationToken);
                Say($"Astra answers at {server.Address} (data in {access.Data.Path}).");
                await Task.WhenAny(server.StopRequested, Task.Delay(Timeout.Infinite, cancellationToken));
                Say("Stopping.");
                if (server.Failure is { } failure)
                    throw new CommandException(failure, ExitCodes.NodeFailed);
                return ExitCodes.Ok;
            }
            catch (Exception e) when (parsed.GetValue(detached))
            {
                // Nobody sees this process's terminal; `up` reads the last line of the log and passes it on.
                Say(Sentences.Of(e).Sentence);
                throw;
            }
        });
        return command;
    }

    /// <remarks>Begun anew by whoever holds the lock, so that a second server does not write into the first one's log.</remarks>
    private static StreamWriter NewLog(DataDirectory data) =>
        new(new FileStream(data.LogPath, FileMode.Create, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
}
