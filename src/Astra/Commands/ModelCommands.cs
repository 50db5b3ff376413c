using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra model ...`: who offers models, and which names lead to whom.</summary>
public static class ModelCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("model", "Providers of models, and the names that requests ask for.")
        {
            CreateAdd(surroundings, shared), CreateList(surroundings, shared), CreateTest(surroundings, shared), CreateRoute(surroundings, shared), CreateCap(surroundings, shared), CreateRemove(surroundings, shared),
        }.WithExamples(
            "model list", "model add openai --url https://api.openai.com/v1 --model gpt-5:premium --key openai-key",
            "model test openai/gpt-5", "model route writer openai/gpt-5 ollama/llama3 --balance latency", "model cap 100 --per month");

    private static Command CreateAdd(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("name") { Description = "What the provider is called here." };
        var url = new Option<string>("--url") { Description = "Its base URL, such as https://api.openai.com/v1 or http://127.0.0.1:8000/v1.", HelpName = "URL", Required = true };
        var kind = Choices.Option("--kind", "How it is spoken to: openai (and everything like it), anthropic or ollama.", "KIND", ProviderProtocol.Openai);
        var models = new Option<string[]>("--model")
        {
            Description = "A model that it has, with its tier after a colon (local, standard, premium or code; standard when left out). May be given more than once.", HelpName = "ID[:TIER]", Required = true,
        };
        var keys = new Option<string[]>("--key") { Description = "The name of the secret with its key. Several are taken in turn.", HelpName = "SECRET" };
        var header = new Option<string?>("--key-header") { Description = "The header that the key goes into, where that is not Authorization; api-key for Azure.", HelpName = "NAME" };
        var json = SharedOptions.Json();
        var command = new Command("add", "Add a provider, or put another in its place.") { name, url, kind, models, keys, header, json };
        command.WithExamples(
            "model add openai --url https://api.openai.com/v1 --model gpt-5:premium --model gpt-5-mini --key openai-key",
            "model add claude --kind anthropic --url https://api.anthropic.com --model claude-sonnet-5:code --key anthropic-key",
            "model add box --url http://127.0.0.1:8000/v1 --model qwen3:local");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var specs = parsed.GetValue(models)!.Select(ModelOf).ToList();
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var added = await session.Client.SetProviderAsync(
                parsed.GetValue(name)!,
                new ProviderRequest(parsed.GetValue(kind), parsed.GetValue(url)!, specs, parsed.GetValue(keys) is { Length: > 0 } named ? named : null, parsed.GetValue(header)), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, added);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"{added.Name} has {added.Models.Count} model{(added.Models.Count == 1 ? "" : "s")}; `{surroundings.InvokedAs} model test` tries them.");
        });
        return command;
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List models, the providers that have them, and routes.") { json };
        command.WithExamples("model list", "model list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var models = await session.Client.ListModelsAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, models);
            else
                ModelViews.WriteList(surroundings.Terminal, models);
        });
        return command;
    }

    private static Command CreateTest(Surroundings surroundings, SharedOptions shared)
    {
        var model = new Argument<string?>("model") { Description = "A name as a request would have it; every model when left out.", Arity = ArgumentArity.ZeroOrOne };
        var json = SharedOptions.Json();
        var command = new Command("test", "Ask models for one token each, and say how they did.") { model, json };
        command.WithExamples("model test", "model test openai/gpt-5", "model test premium --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var trials = await session.Client.TestModelsAsync(parsed.GetValue(model), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, trials);
            else
                ModelViews.WriteTrials(surroundings.Terminal, trials);
            return trials.All(trial => trial.Ok) ? ExitCodes.Ok
                : throw new CommandException($"{trials.Count(trial => !trial.Ok)} of {trials.Count} did not answer.");
        });
        return command;
    }

    private static Command CreateRoute(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("name") { Description = "What a request asks for." };
        var models = new Argument<string[]>("models") { Description = "Where it leads, in order: PROVIDER/MODEL each.", Arity = ArgumentArity.OneOrMore };
        var balance = Choices.Option("--balance", "Who comes first: as written (order), the quicker (latency) or the cheaper (price). The others follow when it fails.", "BALANCE", RouteBalance.Order);
        var noHedge = new Option<bool>("--no-hedge") { Description = "Never ask two at once, however long the first one takes." };
        var json = SharedOptions.Json();
        var command = new Command("route", "Give a list of models a name.") { name, models, balance, noHedge, json };
        command.WithExamples("model route writer openai/gpt-5 ollama/llama3", "model route quick a/small b/small --balance latency --no-hedge");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var route = await session.Client.SetRouteAsync(
                parsed.GetValue(name)!, new RouteRequest(parsed.GetValue(models)!, parsed.GetValue(balance), !parsed.GetValue(noHedge)), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, route);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"{route.Name} leads to {string.Join(", then ", route.Models)}.");
        });
        return command;
    }

    private static Command CreateCap(Surroundings surroundings, SharedOptions shared)
    {
        var (cap, per, json) = (Amounts.Argument("DOLLARS", "How much all models together may cost you in that time."), BudgetCommands.Per(), SharedOptions.Json());
        var command = new Command("cap", "Cap what models may cost you: the budget of your tenant. `astra budget` has the others.") { cap, per, json };
        command.WithExamples("model cap 100 --per month", "model cap 2.50 --per day");
        command.SetAction((parsed, cancellationToken) => BudgetCommands.SetAsync(
            parsed, surroundings, shared, json, new BudgetRequest { Level = BudgetLevel.Tenant, Window = parsed.GetValue(per), CapNanos = parsed.GetValue(cap) }, cancellationToken));
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("name") { Description = "A provider, or with --route a route." };
        var route = new Option<bool>("--route") { Description = "The name is a route's." };
        var json = SharedOptions.Json();
        var command = new Command("remove", "Remove a provider or a route.") { name, route, json };
        command.WithExamples("model remove openai", "model remove writer --route");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var removed = parsed.GetValue(name)!;
            await (parsed.GetValue(route) ? session.Client.RemoveRouteAsync(removed, cancellationToken) : session.Client.RemoveProviderAsync(removed, cancellationToken));
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { removed });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"{removed} is removed.");
        });
        return command;
    }

    /// <summary>Ids of models may hold colons themselves: only a tier behind the last one is a tier.</summary>
    private static ModelSpec ModelOf(string text) =>
        text.LastIndexOf(':') is var colon and > 0 && Choices.TryParse<ModelTier>(text[(colon + 1)..], out var tier)
            ? new ModelSpec(text[..colon], tier)
            : new ModelSpec(text);
}
