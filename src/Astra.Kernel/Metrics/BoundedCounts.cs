using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.InteropServices;
using System.Text;
using Astra.Kernel.Tasks;

namespace Astra.Kernel.Metrics;

/// <summary>
/// Dead letters by cause. The first so many causes have a series each, later ones share one: a label must not grow with
/// what goes wrong. A cause is shown as a hash of its fingerprint, whose words may come from a tenant's own data.
/// </summary>
internal sealed class CauseCounts
{
    private const int CausesMax = 50;
    private const string Other = "other";

    private readonly Lock _gate = new();
    private readonly SortedDictionary<(FailureKind Kind, string Cause), long> _counts = [];
    private readonly HashSet<string> _causes = new(StringComparer.Ordinal);

    public void Count(Failure failure)
    {
        var cause = StableHash.Of(MemoryMarshal.AsBytes(failure.Fingerprint.AsSpan())).ToString("x16");
        lock (_gate)
        {
            if (!_causes.Contains(cause) && (_causes.Count >= CausesMax || !_causes.Add(cause)))
                cause = Other;
            _counts[(failure.Kind, cause)] = _counts.GetValueOrDefault((failure.Kind, cause)) + 1;
        }
    }

    public IEnumerable<Measurement<long>> Measure()
    {
        lock (_gate)
            return [.. _counts.Select(count => new Measurement<long>(
                count.Value, new("kind", Words.Snake(count.Key.Kind.ToString())), new("fingerprint", count.Key.Cause)))];
    }
}

/// <summary>
/// Dead letters by kind of task and version of the tool. Both are words out of plans, so only the first so many pairs that
/// look like labels have a series each. Agents are named by tenants, and there may be a million: they have none.
/// </summary>
internal sealed class ExhaustionCounts
{
    private const int SeriesMax = 100;
    private const int WordLengthMax = 60;
    private const string ToolPrefix = "tool:";
    private const string Other = "other";

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Kind, string Tool), long> _counts = [];

    public void Count(TaskSpec spec)
    {
        var tool = spec.Executor.StartsWith(ToolPrefix, StringComparison.Ordinal) ? spec.Executor[ToolPrefix.Length..] : "";
        var series = (Label(spec.Kind), Label(tool));
        lock (_gate)
        {
            if (!_counts.ContainsKey(series) && _counts.Count >= SeriesMax)
                series = (Other, Other);
            _counts[series] = _counts.GetValueOrDefault(series) + 1;
        }
    }

    public IEnumerable<Measurement<long>> Measure()
    {
        lock (_gate)
            return [.. _counts.OrderBy(count => count.Key.Kind, StringComparer.Ordinal).ThenBy(count => count.Key.Tool, StringComparer.Ordinal)
                .Select(count => new Measurement<long>(count.Value, new("kind", count.Key.Kind), new("tool", count.Key.Tool)))];
    }

    private static string Label(string word) =>
        word.Length <= WordLengthMax && word.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.' or '@' or '$' or ':' or '/') ? word : Other;
}

/// <summary>Notices by kind, which is a closed set.</summary>
internal sealed class NoticeCounts
{
    private static readonly string[] Kinds = [.. typeof(KernelNotice).GetNestedTypes().Select(kind => kind.Name).Order(StringComparer.Ordinal)];

    private readonly ConcurrentDictionary<string, long> _counts = new(Kinds.Select(kind => KeyValuePair.Create(kind, 0L)), StringComparer.Ordinal);

    public void Count(KernelNotice notice) => _counts.AddOrUpdate(notice.GetType().Name, 1, static (_, count) => count + 1);

    public IEnumerable<Measurement<long>> Measure() =>
        Kinds.Select(kind => new Measurement<long>(_counts.GetValueOrDefault(kind), new KeyValuePair<string, object?>("kind", Words.Snake(kind))));
}

/// <summary>A count over the last hour, in buckets of a minute.</summary>
internal sealed class LastHour
{
    private const int Minutes = 60;

    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[Minutes];
    private long _latest;

    public void Add(TimeSpan now, long count)
    {
        lock (_gate)
        {
            MoveTo(now);
            _counts[_latest % Minutes] += count;
        }
    }

    public long Sum(TimeSpan now)
    {
        lock (_gate)
        {
            MoveTo(now);
            return _counts.Sum();
        }
    }

    private void MoveTo(TimeSpan now)
    {
        var minute = (long)now.TotalMinutes;
        for (var passed = Math.Min(minute - _latest, Minutes); passed > 0; passed--)
            _counts[(minute - passed + 1) % Minutes] = 0;
        _latest = Math.Max(_latest, minute);
    }
}

internal static class Words
{
    /// <summary>"TaskClaimed" as "task_claimed".</summary>
    public static string Snake(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (var letter in name)
        {
            if (char.IsUpper(letter) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(letter));
        }
        return text.ToString();
    }
}
