using System.CommandLine;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra effect ...`: what a step may or may not have done to the outside world when its worker was lost.</summary>
public static class EffectCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("effect", "See effects on the outside world that nobody knows about, and say what became of them.")
        {
            CreateList(surroundings, shared), CreateResolve(surroundings, shared),
        }.WithExamples("effect list", "effect resolve ID --sent --output '{\"receipt\": 17}'", "effect resolve ID --not-sent");

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var page = new PageOptions();
        var json = SharedOptions.Json();
        var command = new Command("list", "List the tasks that wait for somebody to find out, the newest first.") { page.Limit, page.Cursor, json };
        command.WithExamples("effect list", "effect list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var unknown = await session.Client.ListUnknownEffectsAsync(parsed.GetValue(page.Cursor), parsed.GetValue(page.Limit), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, unknown);
            else
                FailureViews.WriteUnknownEffects(surroundings.Terminal, unknown);
        });
        return command;
    }

    private static Command CreateResolve(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The task whose effect is unknown.");
        var sent = new Option<bool>("--sent") { Description = "It took place: the task completes." };
        var notSent = new Option<bool>("--not-sent") { Description = "It did not take place: the task runs again." };
        var output = new Option<string?>("--output") { Description = "With --sent: what the step gives, as JSON, @FILE or @- for standard input.", HelpName = "JSON" };
        var json = SharedOptions.Json();
        var command = new Command("resolve", "Say what became of an effect, after finding out.") { id, sent, notSent, output, json };
        command.WithExamples("effect resolve ID --sent --output '{\"receipt\": 17}'", "effect resolve ID --not-sent");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var wasSent = parsed.GetValue(sent);
            if (wasSent == parsed.GetValue(notSent))
                throw new CommandException("Say either --sent or --not-sent, once you have found out which it is.", ExitCodes.Usage);
            if (!wasSent && parsed.GetValue(output) is not null)
                throw new CommandException("What was not sent has no output; --output goes with --sent.", ExitCodes.Usage);
            var given = Inputs.Json(parsed.GetValue(output), "--output", surroundings.Terminal.In);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var resolution = new EffectResolution(wasSent ? EffectState.Sent : EffectState.NotSent, given);
            var task = await session.Client.ResolveEffectAsync(parsed.GetValue(id), resolution, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, task);
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Task {task.Id} is {Words.Of(task.State)}.");
        });
        return command;
    }
}
