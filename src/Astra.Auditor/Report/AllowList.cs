namespace Astra.Auditor.Report;

/// <summary>The project's decisions about findings. An allowed finding stays in the report, with the reason; an entry that
/// has expired or covers nothing is a finding itself, so that the list cannot rot unseen.</summary>
internal sealed class AllowList(IReadOnlyList<AllowEntry> entries, DateOnly today)
{
    public const string FileName = ".astra-audit.yaml";

    private readonly HashSet<AllowEntry> _covering = [];

    public AllowEntry? Covering(string name, string rule)
    {
        foreach (var entry in entries)
        {
            if (entry.Rule != rule || !Matches(entry.Package, name))
                continue;
            _covering.Add(entry);
            if (!HasExpired(entry))
                return entry;
        }
        return null;
    }

    public IEnumerable<Finding> Findings()
    {
        foreach (var entry in entries)
        {
            var what = $"{entry.Package}, {entry.Rule}";
            if (HasExpired(entry))
                yield return new Finding { Rule = "allow-list-expired", Where = FileName, Line = entry.Line, Detail = $"{what}: held until {entry.Until:yyyy-MM-dd}." };
            else if (!_covering.Contains(entry))
                yield return new Finding { Rule = "allow-list-unused", Where = FileName, Line = entry.Line, Detail = $"{what}." };
        }
    }

    private bool HasExpired(AllowEntry entry) => entry.Until < today;

    /// <summary>`*` stands for any characters; the rest is compared without regard to case, as NuGet and PyPI do.</summary>
    private static bool Matches(string pattern, string name)
    {
        var pieces = pattern.Split('*');
        if (pieces.Length == 1)
            return name.Equals(pattern, StringComparison.OrdinalIgnoreCase);
        if (!name.StartsWith(pieces[0], StringComparison.OrdinalIgnoreCase))
            return false;
        var at = pieces[0].Length;
        foreach (var piece in pieces[1..^1])
        {
            var next = name.IndexOf(piece, at, StringComparison.OrdinalIgnoreCase);
            if (next < 0)
                return false;
            at = next + piece.Length;
        }
        return name.Length - at >= pieces[^1].Length && name.EndsWith(pieces[^1], StringComparison.OrdinalIgnoreCase);
    }
}
