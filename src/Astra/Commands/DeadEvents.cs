using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra dead events`: what a hook would be told, and was.</summary>
internal static class DeadEvents
{
    private const int LimitDefault = 50;

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var after = new Option<long>("--after") { Description = "Only those behind this number.", HelpName = "SEQ" };
        var limit = new Option<int>("--limit") { Description = "At most this many.", HelpName = "COUNT", DefaultValueFactory = _ => LimitDefault };
        var json = SharedOptions.Json();
        var command = new Command("events", "List new groups and hours with deaths, in the order in which they were noticed; hooks are sent the same.") { after, limit, json };
        command.WithExamples("dead events", "dead events --after 17 --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var events = await session.Client.ListFailureEventsAsync(parsed.GetValue(after), parsed.GetValue(limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, events);
            else
                FailureViews.WriteEvents(surroundings.Terminal, events);
        });
        return command;
    }
}
