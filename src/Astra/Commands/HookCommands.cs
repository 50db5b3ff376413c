using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra hook ...`: who is told of failures, by a signed message to a URL.</summary>
public static class HookCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("hook", "Have failures told to a URL, by signed messages.")
        {
            CreateAdd(surroundings, shared), CreateList(surroundings, shared), CreateShow(surroundings, shared), CreateTest(surroundings, shared), CreateRemove(surroundings, shared),
        }.WithExamples("hook add https://example.org/astra", "hook list", "hook test ID", "hook remove ID");

    private static Command CreateAdd(Surroundings surroundings, SharedOptions shared)
    {
        var url = new Argument<string>("url") { Description = "Where messages are posted to." };
        var on = new Option<string[]>("--on")
        {
            Description = $"What to be told of: {string.Join(" or ", HookKinds.All)}; the first one by default. May be given more than once.", HelpName = "KIND",
        };
        var json = SharedOptions.Json();
        var command = new Command("add", "Add a hook and print its secret, this once.") { url, on, json };
        command.WithExamples("hook add https://example.org/astra", $"hook add https://example.org/astra --on {HookKinds.NewGroup} --on {HookKinds.HourlyRates}");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var added = await session.Client.AddHookAsync(new HookRequest(parsed.GetValue(url)!, parsed.GetValue(on) is { Length: > 0 } kinds ? kinds : null), cancellationToken);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(surroundings.Terminal.Out, added);
                return;
            }
            HookViews.WriteNew(surroundings.Terminal.Out, added);
            await surroundings.Terminal.Error.WriteLineAsync(
                $"This is the only time that the secret is shown; the receiver verifies signatures with it. `{surroundings.InvokedAs} hook test {added.Hook.Id}` sends a first message.");
        });
        return command;
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List the hooks, what waits for each, and what went wrong last.") { json };
        command.WithExamples("hook list", "hook list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var hooks = await session.Client.ListHooksAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, hooks);
            else
                HookViews.WriteList(surroundings.Terminal, hooks);
        });
        return command;
    }

    private static Command CreateShow(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The hook.");
        var json = SharedOptions.Json();
        var command = new Command("show", "Show a hook with its latest messages.") { id, json };
        command.WithExamples("hook show ID", "hook show ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var detail = await session.Client.GetHookAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, detail);
            else
                HookViews.WriteDetail(surroundings.Terminal, detail);
        });
        return command;
    }

    private static Command CreateTest(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The hook.");
        var json = SharedOptions.Json();
        var command = new Command("test", "Send a message right now, once, and say what came of it.") { id, json };
        command.WithExamples("hook test ID", "hook test ID --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var delivery = await session.Client.TestHookAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, delivery);
            else if (delivery.State == DeliveryState.Delivered)
                await surroundings.Terminal.Out.WriteLineAsync($"Delivered: the receiver answered {delivery.Status} to message {delivery.Message}.");
            return delivery.State == DeliveryState.Delivered ? ExitCodes.Ok
                : throw new CommandException($"Message {delivery.Message} was not delivered. {delivery.Problem}");
        });
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The hook.");
        var json = SharedOptions.Json();
        var command = new Command("remove", "Remove a hook with everything that waits for it.") { id, json };
        command.WithExamples("hook remove ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RemoveHookAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { removed = parsed.GetValue(id) });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Hook {parsed.GetValue(id)} is removed.");
        });
        return command;
    }
}
