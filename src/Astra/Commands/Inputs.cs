using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
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
