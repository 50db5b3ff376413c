using System.CommandLine;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra budget ...`: how much may be spent on models.</summary>
public static class BudgetCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) => new Command("budget", "See and set how much may be spent on models.")
    {
        CreateSet(surroundings, shared), CreateShow(surroundings, shared), CreateTop(surroundings, shared), CreateRemove(surroundings, shared), CreateForgive(surroundings, shared),
    }.WithExamples("budget set tenant --cap 100 --per month", "budget set agent auditor --cap 5 --per day", "budget show", "budget top");

    private static Command CreateSet(Surroundings surroundings, SharedOptions shared)
    {
        var (level, name, per, json) = (Level(), Name(), Per(), SharedOptions.Json());
        var cap = Amounts.Option("--cap", "How much may be spent in that time.", isRequired: true);
        var degradeAt = new Option<int?>("--degrade-at") { Description = "From so many percent on, calls go to a cheaper tier.", HelpName = "PERCENT" };
        degradeAt.Validators.Add(result => Inputs.Between(result, "--degrade-at", 1, 100));
        var degradeTo = new Option<string?>("--degrade-to") { Description = "That tier.", HelpName = "TIER" };
        var tenant = new Option<string?>("--tenant") { Description = "Of a tenant that its own admins cannot raise; for whoever runs the server.", HelpName = "NAME" };
        var command = new Command("set", "Set a budget, or set it anew. A call must fit into every budget there is for it.") { level, name, cap, per, degradeAt, degradeTo, tenant, json };
        command.WithExamples(
            "budget set platform --cap 1000 --per month", "budget set tenant --cap 100 --per month", "budget set agent auditor --cap 5 --per day --degrade-at 80 --degrade-to local",
            "budget set goal ID --cap 0.50", "budget set key ID --cap 20", "budget set tenant --tenant acme --cap 50 --per month");
        RequireName(command, level, name);
        command.Validators.Add(result =>
        {
            if (result.GetResult(degradeAt) is null != result.GetResult(degradeTo) is null)
                result.AddError("A budget that degrades says from when on (--degrade-at) and to which tier (--degrade-to)");
        });
        command.SetAction((parsed, cancellationToken) => SetAsync(
            parsed, surroundings, shared, json,
            new BudgetRequest
            {
                Level = parsed.GetValue(level), Of = parsed.GetValue(name), Window = parsed.GetValue(per), CapNanos = parsed.GetValue(cap)!.Value,
                DegradeAtPercent = parsed.GetValue(degradeAt), DegradeTo = parsed.GetValue(degradeTo), Tenant = parsed.GetValue(tenant),
            }, cancellationToken));
        return command;
    }

    /// <summary>Sets a budget and shows where it stands.</summary>
    internal static async Task SetAsync(
        ParseResult parsed, Surroundings surroundings, SharedOptions shared, Option<bool> json, BudgetRequest budget, CancellationToken cancellationToken)
    {
        await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
        var set = await session.Client.SetBudgetAsync(budget, cancellationToken);
        if (parsed.GetValue(json))
            JsonOutput.Write(surroundings.Terminal.Out, set);
        else
            MoneyViews.WriteBudgets(surroundings.Terminal, [set]);
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var (platform, json) = (OfPlatform(), SharedOptions.Json());
        var command = new Command("show", "Show the budgets and where they stand.") { platform, json };
        command.WithExamples("budget show", "budget show --platform", "budget show --json");
        command.SetAction((parsed, cancellationToken) => ShowAsync(parsed, surroundings, shared, platform, json, static budgets => budgets, cancellationToken));
        return command;
    }

    private static Command CreateTop(Surroundings surroundings, SharedOptions shared)
    {
        var (platform, json) = (OfPlatform(), SharedOptions.Json());
        var count = Choices.Count("--count", "How many; 10 by default.", min: 1);
        var command = new Command("top", "Show the budgets of which the most is used up, first.") { count, platform, json };
        command.WithExamples("budget top", "budget top --count 3 --json");
        command.SetAction((parsed, cancellationToken) => ShowAsync(
            parsed, surroundings, shared, platform, json, budgets => [.. budgets.OrderByDescending(MoneyViews.UsedPart).Take(parsed.GetValue(count) ?? 10)], cancellationToken));
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var (level, name, per, json) = (Level(), Name(), Per(), SharedOptions.Json());
        var command = new Command("remove", "Remove a budget: there is no cap any more.") { level, name, per, json };
        command.WithExamples("budget remove agent auditor --per day", "budget remove tenant --per month");
        RequireName(command, level, name);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RemoveBudgetAsync(parsed.GetValue(level), parsed.GetValue(name), parsed.GetValue(per), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { removed = true });
            else
                await surroundings.Terminal.Out.WriteLineAsync("The budget is removed.");
        });
        return command;
    }

    private static Command CreateForgive(Surroundings surroundings, SharedOptions shared)
    {
        var (level, name, per, json) = (Level(), Name(), Per(), SharedOptions.Json());
        var command = new Command("forgive", "Say that what dead servers held of a budget was not spent. Look at the provider's bill first.") { level, name, per, json };
        command.WithExamples("budget forgive tenant --per month", "budget forgive agent auditor --per day");
        RequireName(command, level, name);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var forgiven = await session.Client.ForgiveBudgetAsync(new BudgetForgiveRequest(parsed.GetValue(level), parsed.GetValue(name), parsed.GetValue(per)), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, forgiven);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"{Amounts.Text(forgiven.ForgivenNanos)} can be spent again.");
        });
        return command;
    }

    private static async Task ShowAsync(
        ParseResult parsed, Surroundings surroundings, SharedOptions shared, Option<bool> platform, Option<bool> json,
        Func<IReadOnlyList<BudgetView>, IReadOnlyList<BudgetView>> choose, CancellationToken cancellationToken)
    {
        await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
        var budgets = choose(await session.Client.ListBudgetsAsync(parsed.GetValue(platform), cancellationToken));
        if (parsed.GetValue(json))
            JsonOutput.Write(surroundings.Terminal.Out, budgets);
        else
            MoneyViews.WriteBudgets(surroundings.Terminal, budgets);
    }

    private static Argument<BudgetLevel> Level() => Choices.Argument<BudgetLevel>("LEVEL", "platform, tenant, agent, goal, task or key.");

    private static Argument<string?> Name() => new("NAME") { Description = "The agent's name, or the id of the goal, the task or the API key.", Arity = ArgumentArity.ZeroOrOne };

    internal static Option<BudgetWindow> Per() => Choices.Option("--per", "day, month or total, by the calendar of UTC; total by default.", "WINDOW", BudgetWindow.Total);

    private static Option<bool> OfPlatform() => new("--platform") { Description = "Those of the whole platform, for whoever runs the server." };

    private static void RequireName(Command command, Argument<BudgetLevel> level, Argument<string?> name) => command.Validators.Add(result =>
    {
        if (result.GetResult(level) is not { Tokens: [var word] } || !Choices.TryParse<BudgetLevel>(word.Value, out var known))
            return;
        var given = result.GetValue(name);
        if (known is BudgetLevel.Platform or BudgetLevel.Tenant && given is not null)
            result.AddError($"The budget of the {known.ToString().ToLowerInvariant()} has no name");
        else if (known is not (BudgetLevel.Platform or BudgetLevel.Tenant) && given is null)
            result.AddError($"Say which {known.ToString().ToLowerInvariant()}: {command.Name} {known.ToString().ToLowerInvariant()} NAME");
    });
}
