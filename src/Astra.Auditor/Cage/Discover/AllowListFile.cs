using System.Globalization;
using YamlDotNet.Core;

namespace Astra.Auditor.Cage.Discover;

/// <summary>`.astra-audit.yaml` at the root of the audited tree: findings the project has judged and accepts, each with a
/// reason. An entry that cannot be understood allows nothing and says so.</summary>
internal static class AllowListFile
{
    public const string Name = ".astra-audit.yaml";

    public static void Read(string tree, Finds finds)
    {
        var path = Path.Combine(tree, Name);
        if (!File.Exists(path) || new FileInfo(path).LinkTarget is not null)
            return;
        try
        {
            foreach (var entry in YamlScalars.Read(path).Where(scalar => scalar.Path.StartsWith("/allow/-/", StringComparison.Ordinal)).GroupBy(scalar => scalar.Item))
                Add([.. entry], finds);
        }
        catch (YamlException failure)
        {
            finds.Project.Add("allow-list-malformed", Name, failure.Message, (int)failure.Start.Line);
        }
    }

    private static void Add(List<YamlScalar> entry, Finds finds)
    {
        var line = entry.Min(scalar => scalar.Line);
        string? Value(string key) => entry.Find(scalar => scalar.Key == key)?.Value.Trim();
        var (package, rule, reason, until) = (Value("package"), Value("rule"), Value("reason"), Value("until"));
        var day = DateOnly.TryParseExact(until, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var parsed) ? parsed : (DateOnly?)null;
        if (string.IsNullOrEmpty(package) || string.IsNullOrEmpty(rule) || string.IsNullOrEmpty(reason))
            Refuse("An entry needs package, rule and reason.");
        else if (!Rules.Knows(rule))
            Refuse($"There is no rule '{rule}'.");
        else if (!package.Contains('/') || package.Split('/', 2).Any(part => part.Trim('*', '@').Length == 0))
            Refuse($"'{package}' is too wide: name the ecosystem and at least a part of the id.");
        else if (until is not null && day is null)
            Refuse($"'{until}' is not a date.");
        else if (entry.Find(scalar => scalar.Key is not ("package" or "rule" or "reason" or "until")) is { } unknown)
            Refuse($"'{unknown.Key}' is not known here.");
        else
            finds.Allowed.Add(new AllowEntry(package, rule, reason, day, line));

        void Refuse(string why) => finds.Project.Add("allow-list-malformed", Name, why, line);
    }
}
