using System.CommandLine;
using Astra.Display;

namespace Astra.Commands;

/// <summary>`astra tenant ...`</summary>
public static class TenantCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("NAME") { Description = "The tenant." };
        var weight = Choices.Number("WEIGHT", "1 to 10000; 100 is what everyone has.", 1, 10_000);
        var json = SharedOptions.Json();
        var command = new Command("weight", "Give a tenant more or less of the slot time where there is not enough for all.") { name, weight, json };
        command.WithExamples("tenant weight default 200");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var set = await session.Client.SetTenantWeightAsync(parsed.GetValue(name)!, parsed.GetValue(weight), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, set);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Tenant {parsed.GetValue(name)} has weight {set.Weight}.");
        });
        return new Command("tenant", "Steer tenants; for whoever runs the server.") { command }.WithExamples("tenant weight default 200");
    }
}
