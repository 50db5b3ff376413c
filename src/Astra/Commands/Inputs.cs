using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Astra.Governance;
using Astra.Hosting;

namespace Astra.Commands;

/// <summary>What people point commands at, looked at before anything is started or written.</summary>
public static class Inputs
{
    public static void Between(OptionResult result, string option, double min, double max)
    {
        if (result.Tokens is [var token] && double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && !(number >= min && number <= max))
            result.AddError($"{option} takes a number from {min} to {max}, not {token.Value}");
    }

    public static string ReadableDirectory(string path)
    {
        var full = Path.GetFullPath(path);
        if (File.Exists(full))
            throw new CommandException($"{full} is a file; give the directory that it is in.");
        if (!Directory.Exists(full))
            throw new CommandException($"There is no directory {full}; check the path.");
        try
        {
            using var entries = Directory.EnumerateFileSystemEntries(full).GetEnumerator();
            entries.MoveNext();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException($"{full} cannot be read by this user; run as somebody who may, or correct its permissions.", cause: e);
        }

        return Path.TrimEndingDirectorySeparator(full);
    }

    public static string ExistingFile(string path)
    {
        var full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            throw new CommandException($"{full} is a directory; give a plan file, or type `run audit {path}` to audit it.");
        if (!File.Exists(full))
            throw new CommandException($"There is no file {full}; check the path.");
        return full;
    }

    /// <summary>A file that holds an API key and nothing else but line ends.</summary>
    /// <remarks>What is no key of Astra's may be somebody else's, so it is not sent anywhere to find out.</remarks>
    public static KeyFile KeyFile(string path)
    {
        if (path.Length == 0)
            throw new CommandException("--key-file names no file; leave it out to act with the admin.key of the data directory.", ExitCodes.Usage);
        if (Directory.Exists(path))
            throw new CommandException($"{Path.GetFullPath(path)} is a directory; --key-file takes a file with an API key.");
        var full = ExistingFile(path);
        var key = Read(full).Trim();
        return ApiKeys.HashOf(key) is not null
            ? new KeyFile(full, key)
            : throw new CommandException($"{full} holds no API key; `astra token create NAME --out FILE` makes a file that does.");
    }

    /// <summary>JSON as given, from a file (`@FILE`) or from standard input (`@-`).</summary>
    public static JsonElement? Json(string? given, string option, TextReader standardInput)
    {
        if (given is null)
            return null;
        var (text, source) = given switch
        {
            "@-" => (standardInput.ReadToEnd(), "standard input"),
            ['@', .. var file] => (Read(ExistingFile(file)), file),
            _ => (given, option),
        };
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException e)
        {
            throw new CommandException($"{source} is not JSON: line {e.LineNumber + 1}, column {e.BytePositionInLine + 1}; correct it there.", cause: e);
        }
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CommandException($"{path} cannot be read by this user; correct its permissions.", cause: e);
        }
    }
}
