using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Astra.Tests.Structure;

/// <summary>Every outside effect has one door. The build holds most of this; these look at what was built.</summary>
public sealed partial class DoorTests
{
    [Fact]
    public void Every_project_has_its_wall_and_every_wall_its_project()
    {
        var walls = XDocument.Parse(Repository.Read("build/Walls.targets")).Descendants("Wall").Select(wall => wall.Attribute("Include")!.Value);
        Assert.Equal(Repository.ShippedProjects.Order(StringComparer.Ordinal), walls.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_project_has_its_row_in_the_code_map()
    {
        var map = Repository.Read("ARCHITECTURE.md");
        Assert.All(Repository.ShippedProjects, project => Assert.Contains($"| `src/{project}` |", map, StringComparison.Ordinal));
    }

    [Fact]
    public void Only_the_database_project_knows_the_driver() => Assert.Equal(["Astra.Postgres"], ProjectsNaming(type => type.StartsWith("Npgsql.", StringComparison.Ordinal)));

    [Fact]
    public void Only_the_database_project_holds_SQL()
    {
        var holders = Repository.Files("*.cs", "src").Where(path => Sql().IsMatch(Repository.Read(path))).Select(path => path.Split('/')[1]).Distinct();
        Assert.Equal(["Astra.Postgres"], holders);
    }

    [Fact]
    public void Only_tools_and_the_private_cluster_start_processes() =>
        Assert.Equal(["Astra.Postgres", "Astra.Tools"], ProjectsNaming(type => type is "System.Diagnostics.Process" or "System.Diagnostics.ProcessStartInfo"));

    [Fact]
    public void The_kernel_knows_neither_JSON_nor_files_nor_the_network() =>
        Assert.DoesNotContain("Astra.Kernel", ProjectsNaming(type => type.StartsWith("System.Text.Json.", StringComparison.Ordinal)
            || type.StartsWith("System.Net.", StringComparison.Ordinal) || type is "System.IO.File" or "System.IO.FileStream" or "System.IO.Directory"));

    [Fact]
    public void The_SDK_and_the_kernel_reference_nothing_of_Astra()
    {
        foreach (var project in (string[])["Astra.Sdk", "Astra.Kernel"])
            Assert.DoesNotContain(ReferencesOf(project), name => name == "Astra" || name.StartsWith("Astra.", StringComparison.Ordinal));
    }

    private static IReadOnlyList<string> ProjectsNaming(Predicate<string> type) =>
        [.. Repository.ShippedProjects.Where(project => Look(project, metadata => metadata.TypeReferences.Select(metadata.GetTypeReference)
            .Any(reference => type($"{metadata.GetString(reference.Namespace)}.{metadata.GetString(reference.Name)}"))))];

    private static IReadOnlyList<string> ReferencesOf(string project) =>
        Look(project, metadata => metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name)).ToList());

    private static T Look<T>(string project, Func<MetadataReader, T> look)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, (project == "Astra" ? "astra" : project) + ".dll")));
        return look(file.GetMetadataReader());
    }

    [GeneratedRegex(@"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+TABLE|TRUNCATE)\b")]
    private static partial Regex Sql();
}
