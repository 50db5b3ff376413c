using Xunit;

namespace Astra.Tests.Deploy;

/// <summary>What checks the queries in deploy/ refuses what Prometheus would, and what would never fire.</summary>
public sealed class PromQlTests
{
    [Theory]
    [InlineData("up == 0", "instance,job")]
    [InlineData("sum(up)", "")]
    [InlineData("sum by (kind) (increase(seen_total{kind=\"a\", instance=~\"$instance\"}[1h])) > 20", "kind")]
    [InlineData("sum(rate(seen_total[5m])) by (instance) / sum by (instance) (up)", "instance")]
    [InlineData("topk(5, histogram_quantile(0.99, sum by (kind, le) (rate(took_bucket[$__rate_interval]))))", "kind")]
    [InlineData("seen_total{kind=~\"a|b\"}", "instance,job,kind")]
    public void A_query_is_read_and_its_labels_are_known(string query, string labels) =>
        Assert.Equal(labels, string.Join(',', PromQl.LabelsOf(query, Find).Order(StringComparer.Ordinal)));

    [Theory]
    [InlineData("sum(up", "ends where ')'")]
    [InlineData("sum by (kind (up)", "where ')' belongs")]
    [InlineData("up)", "follows the end")]
    [InlineData("up{job=\"astra}", "no PromQL")]
    [InlineData("up ==", "ends where an operand")]
    [InlineData("down", "no series 'down'")]
    [InlineData("rate(seen_total)", "takes a Range")]
    [InlineData("sum(seen_total[5m])", "takes a Instant")]
    [InlineData("seen_total[5m]", "gives a range")]
    [InlineData("rate(seen_total[5 minutes])", "no PromQL")]
    [InlineData("median(up)", "not a function")]
    [InlineData("seen_total{color=\"a\"}", "no label 'color'")]
    [InlineData("seen_total{kind=\"c\"}", "no kind 'c'")]
    [InlineData("seen_total{kind=~\"a|c\"}", "no kind 'c'")]
    [InlineData("sum by (kind) (up)", "no label 'kind'")]
    [InlineData("histogram_quantile(0.9, sum by (kind) (rate(took_bucket[5m])))", "'le' is gone")]
    public void What_is_no_query_or_asks_for_what_is_not_there_is_refused(string query, string why) =>
        Assert.Contains(why, Assert.Throws<FormatException>(() => PromQl.LabelsOf(query, Find)).Message, StringComparison.Ordinal);

    private static Series? Find(string name) => name switch
    {
        "up" => Of(),
        "seen_total" => Of(("kind", ["a", "b"])),
        "took_bucket" => Of(("kind", ["a"]), ("le", ["1", "+Inf"])),
        _ => null,
    };

    private static Series Of(params (string Label, string[] Values)[] labels)
    {
        var all = new Dictionary<string, IReadOnlySet<string>?> { ["instance"] = null, ["job"] = new HashSet<string> { "astra" } };
        foreach (var (label, values) in labels)
            all[label] = values.ToHashSet();
        return new Series(all);
    }
}
