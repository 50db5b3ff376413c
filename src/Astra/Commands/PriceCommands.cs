using System.CommandLine;
using System.Globalization;
using Astra.Display;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra price ...`: what models cost.</summary>
public static class PriceCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) => new Command("price", "See and set what models cost, in dollars for a million tokens.")
    {
        CreateList(surroundings, shared), CreateSet(surroundings, shared),
    }.WithExamples("price list", "price set openai gpt-x --input 1.25 --output 10");

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var model = new Option<string?>("--model") { Description = "Only models whose name has this in it.", HelpName = "NAME" };
        var json = SharedOptions.Json();
        var command = new Command("list", "List prices: those that were set, then those built in, the latest first.") { model, json };
        command.WithExamples("price list", "price list --model mini --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var prices = (await session.Client.ListPricesAsync(cancellationToken))
                .Where(price => parsed.GetValue(model) is not { } part || price.Model.Contains(part, StringComparison.OrdinalIgnoreCase)).ToList();
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, prices);
            else
                MoneyViews.WritePrices(surroundings.Terminal, prices);
        });
        return command;
    }

    private static Command CreateSet(Surroundings surroundings, SharedOptions shared)
    {
        var provider = new Argument<string>("PROVIDER") { Description = "As the provider is called here, or '*' for all that have no price of their own." };
        var model = new Argument<string>("MODEL") { Description = "As the provider calls it." };
        var input = Amounts.Option("--input", "A million tokens of input.", isRequired: true);
        var output = Amounts.Option("--output", "A million tokens of output.", isRequired: true);
        var cached = Amounts.Option("--cached", "Input read from the provider's cache; like other input by default.", isRequired: false);
        var cacheWrite = Amounts.Option("--cache-write", "Input written to the provider's cache; like other input by default.", isRequired: false);
        var reasoning = Amounts.Option("--reasoning", "Output spent on reasoning; like other output by default.", isRequired: false);
        var above = Choices.Count("--large-above", "Requests with more input tokens cost otherwise.", min: 1);
        var largeInput = Amounts.Option("--large-input", "A million tokens of input, in those.", isRequired: false);
        var largeOutput = Amounts.Option("--large-output", "A million tokens of output, in those.", isRequired: false);
        var from = new Option<DateTimeOffset?>("--from")
        {
            Description = "When it begins to hold; now by default.", HelpName = "TIME",
            CustomParser = result =>
            {
                if (DateTimeOffset.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
                    return at;
                result.AddError($"--from takes a time such as 2031-02-03T04:05:06Z, not '{result.Tokens[0].Value}'");
                return null;
            },
        };
        var json = SharedOptions.Json();
        var command = new Command("set", "Add a price. What was paid by earlier ones stays as it was.")
        {
            provider, model, input, output, cached, cacheWrite, reasoning, above, largeInput, largeOutput, from, json,
        };
        command.WithExamples(
            "price set openai gpt-x --input 1.25 --cached 0.125 --output 10", "price set '*' model-y --input 3 --output 15 --large-above 200000 --large-input 6 --large-output 22.5",
            "price set openai gpt-x --input 1 --output 8 --from 2031-01-01");
        command.Validators.Add(result =>
        {
            var given = new Option[] { above, largeInput, largeOutput }.Count(option => result.GetResult(option) is not null);
            if (given is not (0 or 3))
                result.AddError("A price of large requests takes --large-above, --large-input and --large-output together");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var (read, write, think) = (parsed.GetValue(cached), parsed.GetValue(cacheWrite), parsed.GetValue(reasoning));
            var (inputNanos, outputNanos) = (parsed.GetValue(input)!.Value, parsed.GetValue(output)!.Value);
            var large = parsed.GetValue(largeInput) is { } largeIn && parsed.GetValue(largeOutput) is { } largeOut
                ? new RatesView(largeIn, Scaled(read, largeIn, inputNanos), Scaled(write, largeIn, inputNanos), largeOut, Scaled(think, largeOut, outputNanos)) : null;
            var set = await session.Client.SetPriceAsync(
                new PriceView(
                    parsed.GetValue(provider)!, parsed.GetValue(model)!, parsed.GetValue(from) ?? surroundings.Clock.GetUtcNow(),
                    new RatesView(inputNanos, read ?? inputNanos, write ?? inputNanos, outputNanos, think ?? outputNanos), parsed.GetValue(above), large),
                cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, set);
            else
                MoneyViews.WritePrices(surroundings.Terminal, [set]);
        });
        return command;
    }

    /// <summary>What was given for other requests, in the proportion in which large ones are dearer; rounded up.</summary>
    private static long Scaled(long? given, long large, long plain) =>
        given is not { } nanos || plain == 0 ? large : (long)Math.Ceiling((decimal)nanos * large / plain);
}
