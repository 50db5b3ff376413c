using System.CommandLine;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>What every command understands, and how a command gets from there to a server.</summary>
public sealed class SharedOptions
{
    public Option<string?> Data { get; } = new("--data")
    {
        Description = "Where Astra keeps everything (default: ASTRA_DATA, else ~/.astra, as root /var/lib/astra).",
        HelpName = "DIRECTORY",
        Recursive = true,
    };

    public Option<string?> Database { get; } = new("--database")
    {
        Description = "A PostgreSQL of yours instead of a private one (default: ASTRA_DATABASE).",
        HelpName = "URL",
        Recursive = true,
    };

    public Option<string?> KeyFile { get; } = new("--key-file")
    {
        Description = "A file with the API key to act with (default: the admin.key of the data directory).",
        HelpName = "FILE",
        Recursive = true,
    };

    public Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Say more, and show where an error came from.",
        Recursive = true,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON, for programs." };

    public static Argument<Guid> Id(string description) => new("ID")
    {
        Description = description,
        CustomParser = result =>
        {
            var token = result.Tokens[0].Value;
            if (Guid.TryParse(token, out var id))
                return id;
            result.AddError($"'{token}' is not an id; `goal list` and `dead list` print ids that can be pasted");
            return default;
        },
    };

    public DataDirectory DataOf(ParseResult parsed, Surroundings surroundings) =>
        DataDirectory.Resolve(parsed.GetValue(Data), surroundings.Environment, surroundings.Home, surroundings.IsRoot);

    public ServerAccess ServerOf(ParseResult parsed, Surroundings surroundings)
    {
        var database = parsed.GetValue(Database) ?? surroundings.Environment("ASTRA_DATABASE");
        return new ServerAccess(
            surroundings, DataOf(parsed, surroundings), string.IsNullOrWhiteSpace(database) ? null : database, parsed.GetValue(Verbose))
        {
            Key = parsed.GetValue(KeyFile) is { } file ? Inputs.KeyFile(file) : null,
        };
    }

    /// <summary>A command line that reaches the same server as this one did: the verb, and what this one had to say to get there.</summary>
    public string Again(ParseResult parsed, Surroundings surroundings, string verb)
    {
        var line = $"{surroundings.InvokedAs} {verb}";
        if (parsed.GetValue(Data) is { } data)
            line += " --data " + Quoted(data);
        if (parsed.GetValue(Database) is { } database)
            line += " --database " + Quoted(database);
        if (parsed.GetValue(KeyFile) is { } key)
            line += " --key-file " + Quoted(key);
        return line;
    }

    public static string Quoted(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-' or ':' or '=' or '@' or '+')
            ? word
            : "'" + word.Replace("'", "'\\''") + "'";
}
