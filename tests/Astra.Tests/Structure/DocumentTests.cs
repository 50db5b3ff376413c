using System.Text.RegularExpressions;
using Astra.Tests.CommandLine;
using Xunit;

namespace Astra.Tests.Structure;

/// <summary>What the documents claim about the repository and about themselves.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Every_link_to_a_file_leads_to_one()
    {
        var dead = from document in Repository.Files("*.md")
                   from Match link in Link().Matches(WithoutCode(Repository.Read(document)))
                   let target = Uri.UnescapeDataString(link.Groups["target"].Value.Split('#')[0])
                   where target.Length > 0 && !target.Contains(':')
                   let path = Path.Combine(Repository.Root, Path.GetDirectoryName(document)!, target)
                   where !File.Exists(path) && !Directory.Exists(path)
                   select $"{document}: {target}";
        Assert.Empty(dead);
    }

    [Fact]
    public void The_glossary_is_in_alphabetical_order_and_has_each_word_once()
    {
        var words = Rows(Repository.Read("GLOSSARY.md")).Skip(1).Select(cells => cells[0]).ToList();
        Assert.NotEmpty(words);
        Assert.Equal(words.Order(StringComparer.OrdinalIgnoreCase), words);
        Assert.Equal(words.Distinct(StringComparer.OrdinalIgnoreCase), words);
    }

    [Fact]
    public void Every_test_that_a_document_names_exists()
    {
        var sources = Repository.Files("*.cs", "tests").Select(Repository.Read).ToList();
        var missing = from document in Repository.Files("*.md")
                      from cells in Rows(Repository.Read(document))
                      from Match name in TestName().Matches(string.Join(' ', cells))
                      let isThere = sources.Any(source => Regex.IsMatch(source, $@"\bclass {name.Groups["class"].Value}\b") && Regex.IsMatch(source, $@"\b{name.Groups["test"].Value}\("))
                      where !isThere
                      select $"{document}: {name.Value}";
        Assert.Empty(missing);
    }

    [Fact]
    public async Task Every_command_that_a_document_or_an_example_names_exists()
    {
        using var world = new CommandWorld();
        var missing = new List<string>();
        foreach (var document in (string[])[.. Repository.Files("*.md"), .. Repository.Files("*", "examples")])
        {
            foreach (Match command in Command().Matches(Repository.Read(document)))
            {
                var (verb, second) = (command.Groups["verb"].Value, command.Groups["second"].Value);
                // The script's own.
                if (verb is "test" or "chaos")
                    continue;
                // Behind a verb without verbs of its own, the second word is an argument.
                if (!await IsListedAsync(world, verb) || (second.Length > 0 && await HasVerbsAsync(world, verb) && !await IsListedAsync(world, second, verb)))
                    missing.Add($"{document}: {command.Value}");
            }
        }

        Assert.Empty(missing);
    }

    private static async Task<bool> IsListedAsync(CommandWorld world, string word, params string[] under) =>
        (await world.TypeAsync([.. under, "--help"])).Out.Split('\n').Any(line => line.StartsWith($"  {word} ", StringComparison.Ordinal));

    private static async Task<bool> HasVerbsAsync(CommandWorld world, string verb) =>
        (await world.TypeAsync([verb, "--help"])).Out.Split('\n').Contains("Commands:");

    /// <summary>The cells of every row of every table; the first row is the heading.</summary>
    private static IEnumerable<string[]> Rows(string markdown) =>
        from line in markdown.Split('\n')
        where line.StartsWith('|') && !line.All(c => c is '|' or '-' or ':' or ' ')
        select line.Trim().Trim('|').Split('|').Select(cell => cell.Trim()).ToArray();

    private static string WithoutCode(string markdown) => Code().Replace(markdown, "");

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("```.*?```|`[^`\n]*`", RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"(?<=[`/ ]|^)astra (?<verb>[a-z]+)(?= |`|\r?$)(?: (?<second>[a-z]+)(?= |`|\r?$))?", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex(@"`(?<class>[A-Z]\w+)\.(?<test>[A-Z][A-Za-z0-9]*_\w+)`")]
    private static partial Regex TestName();
}
