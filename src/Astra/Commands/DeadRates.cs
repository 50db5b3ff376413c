using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra dead rates`: how many tasks were given up, hour by hour.</summary>
internal static class DeadRates
{
    private const int HoursDefault = 24;
    private const int HoursMax = 168;

    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var hours = new Option<int>("--hours") { Description = "How many hours back, the one under way included.", HelpName = "COUNT", DefaultValueFactory = _ => HoursDefault };
        hours.Validators.Add(result => Inputs.Between(result, "--hours", 1, HoursMax));
        var json = SharedOptions.Json();
        var command = new Command("rates", "Show how many tasks were given up in each hour, by kind of task and executor.") { hours, json };
        command.WithExamples("dead rates", "dead rates --hours 168", "dead rates --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var rates = await session.Client.ListDeathRatesAsync(parsed.GetValue(hours), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, rates);
            else
                FailureViews.WriteRates(surroundings.Terminal, rates);
        });
        return command;
    }
}
