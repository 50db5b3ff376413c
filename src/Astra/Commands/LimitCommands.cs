using System.CommandLine;
using System.Globalization;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra limit ...`</summary>
public static class LimitCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) => new Command("limit", "See and set how much may run at once and start in a second.")
    {
        CreateList(surroundings, shared), CreateSet(surroundings, shared), CreateRemove(surroundings, shared),
    }.WithExamples("limit list", "limit set queue emails --concurrency 4", "limit set tool shell --per-second 10", "limit remove queue emails");

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List the tenant's limits, weights and paused agents.") { json };
        command.WithExamples("limit list", "limit list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(parsed, surroundings, json, await session.Client.GetControlsAsync(cancellationToken));
        });
        return command;
    }

    private static Command CreateSet(Surroundings surroundings, SharedOptions shared)
    {
        var (scope, name, json) = (Scope(), Name(), SharedOptions.Json());
        var concurrency = Choices.Count("--concurrency", "How many run at once; 0 is none.", min: 0);
        var perSecond = Choices.Count("--per-second", "How many start in a second.", min: 1);
        var perMinute = Choices.Count("--per-minute", "How many start in a minute.", min: 1);
        var command = new Command("set", "Set a limit of the tenant, an agent, a tool or a queue, or set it anew.") { scope, name, concurrency, perSecond, perMinute, json };
        command.WithExamples("limit set tenant --concurrency 50", "limit set agent auditor --per-minute 60", "limit set queue emails --concurrency 4 --per-second 10");
        command.Validators.Add(result =>
        {
            if (result.GetResult(concurrency) is null && result.GetResult(perSecond) is null && result.GetResult(perMinute) is null)
                result.AddError("A limit says how many run at once (--concurrency), start in a second (--per-second) or start in a minute (--per-minute)");
        });
        RequireName(command, scope, name);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(parsed, surroundings, json, await session.Client.SetLimitAsync(
                new LimitView
                {
                    Scope = parsed.GetValue(scope), Name = parsed.GetValue(name),
                    Concurrency = parsed.GetValue(concurrency), PerSecond = parsed.GetValue(perSecond), PerMinute = parsed.GetValue(perMinute),
                }, cancellationToken));
        });
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var (scope, name, json) = (Scope(), Name(), SharedOptions.Json());
        var command = new Command("remove", "Remove a limit.") { scope, name, json };
        command.WithExamples("limit remove queue emails", "limit remove tenant");
        RequireName(command, scope, name);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            Write(parsed, surroundings, json, await session.Client.RemoveLimitAsync(parsed.GetValue(scope), parsed.GetValue(name), cancellationToken));
        });
        return command;
    }

    private static Argument<LimitScope> Scope() => Choices.Argument<LimitScope>("SCOPE", "tenant, agent, tool or queue.");

    private static Argument<string?> Name() => new("NAME") { Description = "Of the agent, tool or queue.", Arity = ArgumentArity.ZeroOrOne };

    private static void RequireName(Command command, Argument<LimitScope> scope, Argument<string?> name) => command.Validators.Add(result =>
    {
        if (result.GetResult(scope) is not { Tokens: [var word] } || !Choices.TryParse<LimitScope>(word.Value, out var limited))
            return;
        var given = result.GetValue(name);
        if (limited == LimitScope.Tenant && given is not null)
            result.AddError("A tenant's limit has no name; it is that of the tenant whose key is used");
        else if (limited != LimitScope.Tenant && given is null)
            result.AddError($"Say which {limited.ToString().ToLowerInvariant()}: {command.Name} {limited.ToString().ToLowerInvariant()} NAME");
    });

    private static void Write(ParseResult parsed, Surroundings surroundings, Option<bool> json, ControlsView controls)
    {
        if (parsed.GetValue(json))
        {
            JsonOutput.Write(surroundings.Terminal.Out, controls);
            return;
        }
        Tables.Write(
            surroundings.Terminal, ["SCOPE", "NAME", "AT ONCE", "PER SECOND", "PER MINUTE"],
            controls.Limits.Select(limit => (IReadOnlyList<string>)[limit.Scope.ToString().ToLowerInvariant(), limit.Name ?? "", Text(limit.Concurrency), Text(limit.PerSecond), Text(limit.PerMinute)]),
            "No limits are set.");
        foreach (var weight in controls.Weights)
            surroundings.Terminal.Out.WriteLine($"{(weight.Agent is { } agent ? $"Agent {Tables.Printable(agent)}" : "The tenant")} has weight {weight.Weight}.");
        foreach (var paused in controls.PausedAgents)
            surroundings.Terminal.Out.WriteLine($"Agent {Tables.Printable(paused.Agent)} is paused by {Tables.Printable(paused.Pause.By)}.");
    }

    private static string Text(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
}
