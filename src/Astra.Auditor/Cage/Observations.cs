using Astra.Auditor.Cage.Content;

namespace Astra.Auditor.Cage;

/// <summary>
/// Collects findings while a package or a tree is read. The same finding twice is one; a rule that fires everywhere is
/// listed a few times and counted after that, so that no package can drown a report or outgrow an answer.
/// </summary>
internal sealed class Observations
{
    private const int PerRuleMax = 8;
    private const int EvidenceLengthMax = 160;
    private const int WhereLengthMax = 200;

    private readonly List<Finding> _findings = [];
    private readonly HashSet<(string, string, int?)> _seen = [];
    private readonly Dictionary<string, int> _countByRule = new(StringComparer.Ordinal);

    public int OmittedCount { get; private set; }

    /// <summary>Gravest first, then in a fixed order: the same package gives the same list on every machine.</summary>
    public IReadOnlyList<Finding> InOrder() =>
        [.. _findings
            .OrderByDescending(finding => Rules.Of(finding).Severity)
            .ThenBy(finding => finding.Rule, StringComparer.Ordinal)
            .ThenBy(finding => finding.Where, StringComparer.Ordinal)
            .ThenBy(finding => finding.Line)];

    public bool Has(string rule) => _countByRule.ContainsKey(rule);

    public void Add(string rule, string where, string detail, int? line = null, string? evidence = null)
    {
        if (!_seen.Add((rule, where, line)))
            return;
        var count = _countByRule[rule] = _countByRule.GetValueOrDefault(rule) + 1;
        if (count > PerRuleMax)
        {
            OmittedCount++;
            return;
        }
        _findings.Add(new Finding
        {
            Rule = Rules.Of(rule).Id,
            Where = Shorten(NameChecks.Escape(where), WhereLengthMax),
            Line = line,
            Detail = Shorten(NameChecks.Escape(detail), 400),
            Evidence = evidence is null ? null : Shorten(NameChecks.Escape(evidence.Trim()), EvidenceLengthMax),
        });
    }

    private static string Shorten(string text, int lengthMax) => text.Length <= lengthMax ? text : text[..(lengthMax - 1)] + "…";
}
