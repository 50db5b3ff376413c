using System.CommandLine;
using Astra.Display;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>
/// `astra top`: what the server does right now, drawn anew every interval until q or Ctrl-C. Without a terminal it prints
/// one snapshot. Rates are over the last interval, so the first picture takes one interval to appear.
/// </summary>
public static class TopCommand
{
    // Often enough that q answers at once, seldom enough to cost nothing.
    private static readonly TimeSpan KeyPeriod = TimeSpan.FromMilliseconds(50);

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var once = new Option<bool>("--once") { Description = "Print one snapshot and end." };
        var interval = new Option<double>("--interval") { Description = "Seconds between two pictures.", HelpName = "SECONDS", DefaultValueFactory = _ => 1 };
        var node = ActorCommands.Node();
        var json = new Option<bool>("--json") { Description = "Print JSON, one line per interval." };
        interval.Validators.Add(result => Inputs.Between(result, "--interval", 0.1, 3_600));
        var command = new Command("top", "Watch the server: tasks, rates, commits, workers, the busiest actors.") { once, interval, node, json };
        command.WithExamples("top", "top --once", "top --json --interval 10");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var server = await ActorCommands.FindServerAsync(parsed, surroundings, shared, cancellationToken);
            var terminal = surroundings.Terminal;
            var pause = TimeSpan.FromSeconds(parsed.GetValue(interval));
            var isJson = parsed.GetValue(json);
            var isLive = terminal.IsLive && !parsed.GetValue(once) && !isJson;
            var isOnce = parsed.GetValue(once) || (!isLive && !isJson);
            using var screen = isLive ? new LiveScreen(terminal) : null;
            try
            {
                var before = await server.Client.GetVitalsAsync(parsed.GetValue(node), cancellationToken);
                while (await WaitAsync(surroundings, pause, isLive, cancellationToken))
                {
                    var now = await server.Client.GetVitalsAsync(parsed.GetValue(node), cancellationToken);
                    var picture = new TopPicture(before, now);
                    if (isJson)
                        JsonOutput.WriteLine(terminal.Out, picture.ToJson());
                    else if (screen is not null)
                        screen.Draw(picture.ToText(terminal.Width));
                    else
                        await terminal.Out.WriteAsync(picture.ToText(terminal.Width));
                    if (isOnce)
                        return ExitCodes.Ok;
                    before = now;
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !isOnce)
            {
                // Ctrl-C is how one leaves.
            }
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <returns>False when somebody pressed q.</returns>
    private static async Task<bool> WaitAsync(Surroundings surroundings, TimeSpan pause, bool isLive, CancellationToken cancellationToken)
    {
        if (!isLive)
        {
            await Task.Delay(pause, surroundings.Clock, cancellationToken);
            return true;
        }
        var began = surroundings.Clock.GetTimestamp();
        while (surroundings.Clock.GetElapsedTime(began) is var elapsed && elapsed < pause)
        {
            if (surroundings.Terminal.PressedKey() is 'q' or 'Q')
                return false;
            var rest = pause - elapsed;
            await Task.Delay(rest < KeyPeriod ? rest : KeyPeriod, surroundings.Clock, cancellationToken);
        }
        return true;
    }
}
