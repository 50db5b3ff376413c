using System.CommandLine;
using System.Text;
using Astra.Display;
using Astra.Hosting;
using Astra.Sdk;

namespace Astra.Commands;

/// <summary>`astra token ...`: API keys, which people and programs act with. A key's secret is shown when it is made and never again.</summary>
public static class TokenCommands
{
    public static Command Create(Surroundings surroundings, SharedOptions shared) =>
        new Command("token", "Make, list and revoke API keys, which people and programs act with.")
        {
            CreateCreate(surroundings, shared), CreateList(surroundings, shared), CreateRevoke(surroundings, shared),
        }.WithExamples("token create ada --role orgAdmin --out ada.key", "token list", "token revoke ID");

    private static Command CreateCreate(Surroundings surroundings, SharedOptions shared)
    {
        var name = new Argument<string>("NAME") { Description = "Whose key it is: what is done with it is done by key:NAME." };
        var role = Choices.Option("--role", "member works with goals, orgAdmin also votes and manages keys, platformAdmin sees counts and health, never content.", "ROLE", KeyRole.Member);
        var file = new Option<string?>("--out") { Description = "A new file to put the key into, readable by you only, instead of printing it.", HelpName = "FILE" };
        var json = SharedOptions.Json();
        var command = new Command("create", "Make an API key and print it, this once.") { name, role, file, json };
        command.WithExamples("token create ada --role orgAdmin --out ada.key", "token create ci > ci.key");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (parsed.GetValue(file) is "")
                throw new CommandException("--out names no file; leave it out to have the key printed.", ExitCodes.Usage);
            var request = new ApiKeyRequest(parsed.GetValue(name)!, parsed.GetValue(role));
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            if (parsed.GetValue(file) is { } path)
                await CreateInFileAsync(surroundings, session.Client, request, path, parsed.GetValue(json), cancellationToken);
            else
                await PrintNewAsync(surroundings, session.Client, request, parsed.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static async Task PrintNewAsync(Surroundings surroundings, IAstraClient client, ApiKeyRequest request, bool isJson, CancellationToken cancellationToken)
    {
        var made = await client.CreateApiKeyAsync(request, cancellationToken);
        if (isJson)
        {
            JsonOutput.Write(surroundings.Terminal.Out, made);
            return;
        }

        // The secret alone, so that it can be sent where it belongs.
        await surroundings.Terminal.Out.WriteLineAsync(made.Secret);
        await surroundings.Terminal.Error.WriteLineAsync(
            $"This is the only time that the key {Of(made.Key)} is shown; `{surroundings.InvokedAs} token revoke {made.Key.Id}` ends it.");
    }

    private static async Task CreateInFileAsync(
        Surroundings surroundings, IAstraClient client, ApiKeyRequest request, string path, bool isJson, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(path);
        NewApiKey made;
        // The file before the key: a key whose secret nobody has could only be revoked.
        await using (var file = OpenNew(full))
        {
            try
            {
                made = await client.CreateApiKeyAsync(request, cancellationToken);
                await file.WriteAsync(Encoding.ASCII.GetBytes(made.Secret + "\n"), CancellationToken.None);
            }
            catch
            {
                File.Delete(full);
                throw;
            }
        }

        if (isJson)
            JsonOutput.Write(surroundings.Terminal.Out, new { key = made.Key, file = full });
        else
            await surroundings.Terminal.Out.WriteLineAsync($"The key {Of(made.Key)} is in {full}; whoever has it acts with it by --key-file {SharedOptions.Quoted(full)}.");
    }

    /// <summary>Readable by its owner only from its first byte, and never in place of another: that one may be a key too.</summary>
    private static FileStream OpenNew(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !Sentences.IsDiskFull(e))
        {
            throw new CommandException(
                Path.Exists(path) ? $"There is {path} already, and it may hold a key; name a new file."
                    : $"{path} cannot be written; name a file in a directory that is there and is yours.",
                cause: e);
        }
    }

    private static Command CreateList(Surroundings surroundings, SharedOptions shared)
    {
        var json = SharedOptions.Json();
        var command = new Command("list", "List the API keys, revoked ones included.") { json };
        command.WithExamples("token list", "token list --json");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            var keys = await session.Client.ListApiKeysAsync(cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, keys);
            else
                TokenViews.WriteList(surroundings.Terminal, keys);
        });
        return command;
    }

    private static Command CreateRevoke(Surroundings surroundings, SharedOptions shared)
    {
        var id = SharedOptions.Id("The key, as `token list` names it.");
        var json = SharedOptions.Json();
        var command = new Command("revoke", "End a key. The next request with it fails.") { id, json };
        command.WithExamples("token revoke ID");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var session = await shared.ServerOf(parsed, surroundings).OpenAsync(cancellationToken);
            await session.Client.RevokeApiKeyAsync(parsed.GetValue(id), cancellationToken);
            if (parsed.GetValue(json))
                JsonOutput.Write(surroundings.Terminal.Out, new { revoked = parsed.GetValue(id) });
            else
                await surroundings.Terminal.Out.WriteLineAsync($"Key {parsed.GetValue(id)} is revoked.");
        });
        return command;
    }

    private static string Of(ApiKeyView key) => $"{Tables.Printable(key.Name)} ({Words.Of(key.Role)})";
}
