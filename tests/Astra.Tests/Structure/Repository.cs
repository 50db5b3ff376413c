using System.Text.RegularExpressions;

namespace Astra.Tests.Structure;

/// <summary>The repository as files, without what is built or fetched.</summary>
internal static partial class Repository
{
    public static string Root { get; } = Find();

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Paths relative to the root.</summary>
    public static IReadOnlyList<string> Files(string pattern, string under = ".") =>
    [
        .. Directory.EnumerateFiles(Path.Combine(Root, under), pattern, new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.ReparsePoint })
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !Made().IsMatch(path))
            .Order(StringComparer.Ordinal),
    ];

    public static IReadOnlyList<string> ShippedProjects => [.. Files("*.csproj", "src").Select(path => Path.GetFileNameWithoutExtension(path))];

    private static string Find()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Astra.slnx")))
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("The tests do not run inside the repository.");
        return directory;
    }

    [GeneratedRegex("(^|/)(bin|obj|artifacts|node_modules|TestResults)/")]
    private static partial Regex Made();
}
