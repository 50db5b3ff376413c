using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra usage`: what calls of models came to.</summary>
public static class UsageCommand
{
    public static Command Create(Surroundings surroundings, SharedOptions shared)
    {
        var by = Choices.Option("--by", "model, agent, goal, key or day; model by default.", "WHAT", UsageGrouping.Model);
        var days = Choices.Count("--days", "Of so many days until now; this month by default.", min: 1);
        var count = Choices.Count("--count", "How many lines; 50 by default.", min: 1);
        var request = new Option<Guid?>("--request") { Description = "One request instead, by the id that its answer had in x-request-id or request-id.", HelpName = "ID" };
        var json = SharedOptions.Json();
        var command = new Command("usage", "Show what calls of models came to, in tokens and dollars.") { by, days, count, request, json };
        command.WithExamples("usage", "usage --by agent", "usage --by day --days 7", "usage --by goal --json", "usage --request ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            if (parsed.GetValue(request) is { } id)
            {
                var one = await session.Client.GetRequestUsageAsync(id, cancellationToken);
                if (parsed.GetValue(json))
                    JsonOutput.Write(surroundings.Terminal.Out, one);
                else
                    MoneyViews.WriteRequest(surroundings.Terminal, one);
                return;
            }
            var from = parsed.GetValue(days) is { } asked ? surroundings.Clock.GetUtcNow().AddDays(-asked) : (DateTimeOffset?)null;
            var usage = await session.Client.GetUsageAsync(parsed.GetValue(by), from, limit: Math.Min(500, parsed.GetValue(count) ?? 50), cancellationToken: cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, usage);
            else
                MoneyViews.WriteUsage(surroundings.Terminal, usage);
        });
        return command;
    }
}
