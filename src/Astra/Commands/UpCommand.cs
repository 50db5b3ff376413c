using System.CommandLine;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>
/// `astra up`: a server in the background. The script `./astra` detaches `serve --detached` and then runs this with
/// --wait: a program that forks itself would carry its threads' locks into the child, a shell does it in one line.
/// </summary>
public static class UpCommand
{
    // Starting means creating a database the first time, on whatever disk there is.
    private static readonly TimeSpan StartTimeMax = TimeSpan.FromMinutes(2);

    // From the shell's fork to the server's taking the lock: a process start, slow only on a machine that is busy.
    private static readonly TimeSpan FirstSignTimeMax = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan PollPeriod = TimeSpan.FromMilliseconds(100);

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var place = new ServeOptions();
        var wait = new Option<bool>("--wait") { Hidden = true };
        var command = new Command("up", "Start the server in the background.") { wait };
        place.AddTo(command);
        command.WithExamples("up", "up --port 8080", "up --data /srv/astra");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var access = shared.ServerOf(parsed, surroundings);
            access.Data.Ensure();
            await using var server = parsed.GetValue(wait)
                ? await WaitAsync(access, surroundings.Clock, cancellationToken)
                : await access.FindAsync(cancellationToken);
            if (server is null)
            {
                throw new CommandException(
                    "Nothing runs yet, and this program does not detach itself; start it with the script `./astra up`, or run `astra serve` under your service manager.");
            }

            await surroundings.Terminal.Out.WriteLineAsync($"Astra answers at {server.File.Address} (process {server.File.Pid}, data in {access.Data.Path}).");
            await surroundings.Terminal.Out.WriteLineAsync($"Stop it with: {shared.Again(parsed, surroundings, "down")}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<ServerSession> WaitAsync(ServerAccess access, TimeProvider clock, CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var beganAt = clock.GetUtcNow();
        var wasThere = false;
        while (true)
        {
            if (await access.FindAsync(cancellationToken) is { } running)
                return running;
            var elapsed = clock.GetElapsedTime(began);
            var isThere = access.Data.IsLocked();
            // It may have come and gone between two looks, or before the first; then its log is fresh.
            if (!isThere && (wasThere || elapsed > FirstSignTimeMax || LogIsFresh(access.Data, beganAt)))
                throw new CommandException(WhyItEnded(access.Data));
            if (elapsed > StartTimeMax)
                throw access.Wedged();
            wasThere |= isThere;
            await Task.Delay(PollPeriod, clock, cancellationToken);
        }
    }

    private static bool LogIsFresh(DataDirectory data, DateTimeOffset since) =>
        File.Exists(data.LogPath) && File.GetLastWriteTimeUtc(data.LogPath) > since.UtcDateTime;

    private static string WhyItEnded(DataDirectory data)
    {
        var last = File.Exists(data.LogPath) ? File.ReadLines(data.LogPath).LastOrDefault(line => line.Length > 0) : null;
        return last is null ? "The server did not start; run `astra serve` to see why." : $"The server did not start: {ServerLog.SentenceOf(last)}";
    }
}
