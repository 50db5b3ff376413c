using System.CommandLine;
using Astra.Display;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>`astra secret ...`: keys of providers and the like. A value goes in and never comes out.</summary>
public static class SecretCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) => new Command("secret", "Keep secrets, such as the keys of model providers.")
    {
        CreateSet(surroundings, shared), CreateList(surroundings, shared), CreateRemove(surroundings, shared),
    }.WithExamples("secret set openai-key < key.txt", "secret list", "secret remove openai-key");

    private static Command CreateSet(Surroundings surroundings, SharedOptions shared)
    {
        var (name, json) = (Name(), SharedOptions.Json());
        var command = new Command("set", "Set a secret, or set it anew. The value is read from standard input, or asked for; never from the command line, which others can see.") { name, json };
        command.WithExamples("secret set openai-key", "secret set openai-key < key.txt");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var value = await ReadValueAsync(surroundings, parsed.GetValue(name)!, cancellationToken);
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.SetSecretAsync(parsed.GetValue(name)!, value, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { set = parsed.GetValue(name) });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Secret {parsed.GetValue(name)} is set.");
        });
        return command;
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List the names of the secrets, and who set them when.") { json };
        command.WithExamples("secret list", "secret list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var secrets = await session.Client.ListSecretsAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, secrets);
            else
                MoneyViews.WriteSecrets(surroundings.Terminal, secrets);
        });
        return command;
    }

    private static Command CreateRemove(Surroundings surroundings, SharedOptions shared)
    {
        var (name, json) = (Name(), SharedOptions.Json());
        var command = new Command("remove", "Remove a secret. What uses it fails from now on.") { name, json };
        command.WithExamples("secret remove openai-key");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RemoveSecretAsync(parsed.GetValue(name)!, cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { removed = parsed.GetValue(name) });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Secret {parsed.GetValue(name)} is removed.");
        });
        return command;
    }

    private static Argument<string> Name() => new("NAME") { Description = "Letters, digits, dashes, dots and underscores." };

    /// <summary>At a terminal without showing it; from a pipe or a file whole, without the line end that editors add.</summary>
    private static async Task<string> ReadValueAsync(Surroundings surroundings, string name, CancellationToken cancellationToken)
    {
        string value;
        if (surroundings.Terminal.ReadHidden is { } readHidden)
        {
            await surroundings.Terminal.Error.WriteAsync($"Value of {name} (it is not shown): ");
            value = readHidden() ?? "";
            await surroundings.Terminal.Error.WriteLineAsync();
        }
        else
        {
            value = await surroundings.Terminal.In.ReadToEndAsync(cancellationToken);
        }
        value = value.TrimEnd('\r', '\n');
        return value.Length > 0 ? value : throw new CommandException($"There is no value for {name}: type it, or give it on standard input, as in `astra secret set {name} < FILE`.");
    }
}
