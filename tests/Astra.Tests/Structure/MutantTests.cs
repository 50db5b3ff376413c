using System.Text.RegularExpressions;
using Astra.Simulation.Mutants;
using Xunit;

namespace Astra.Tests.Structure;

/// <summary>The deliberate faults of the kernel, as its sources and docs/reliability.md show them.</summary>
public sealed partial class MutantTests
{
    private static readonly IReadOnlyList<(string Path, string Mutant)> Uses =
    [
        .. from path in Repository.Files("*.cs", "src")
           from Match use in Use().Matches(Repository.Read(path))
           select (path, NameOf(use.Groups["name"].Value)),
    ];

    [Fact]
    public void Each_mutant_is_one_term_at_one_line_of_the_kernel() =>
        Assert.Equal(MutantSwitches.Names.Order(StringComparer.Ordinal), Uses.Select(use => use.Mutant).Order(StringComparer.Ordinal));

    [Fact]
    public void The_kernel_is_compiled_in_two_ways_in_one_file_only() =>
        Assert.Equal(["src/Astra.Kernel/Mutants.cs"], Repository.Files("*.cs", "src/Astra.Kernel").Where(path => Repository.Read(path).Contains("#if", StringComparison.Ordinal)));

    [Fact]
    public void The_table_of_mutants_names_each_with_the_file_that_makes_the_promise()
    {
        var rows = from line in Repository.Read("docs/reliability.md").Split('\n')
                   let cells = line.Trim('|').Split('|')
                   where cells.Length == 5 && cells[2].Contains(".cs", StringComparison.Ordinal)
                   select (Path: $"src/Astra.Kernel/{cells[2].Trim(' ', '`')}", Mutant: cells[0].Trim(' ', '`'));
        Assert.Equal(Uses.Order(), rows.Order());
    }

    private static string NameOf(string field) => Capital().Replace(field, match => (match.Index == 0 ? "" : "-") + match.Value.ToLowerInvariant());

    [GeneratedRegex(@"\bMutants\.(?<name>[A-Z]\w+)")]
    private static partial Regex Use();

    [GeneratedRegex("[A-Z]")]
    private static partial Regex Capital();
}
