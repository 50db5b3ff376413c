using System.Globalization;
using System.Text.RegularExpressions;

namespace Astra.Tests.Api;

/// <summary>Reads Prometheus' text format 0.0.4 as strictly as its specification allows, and more strictly than Prometheus.</summary>
internal static partial class PrometheusReader
{
    public static IReadOnlyDictionary<string, Family> Read(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        var families = new Dictionary<string, Family>(StringComparer.Ordinal);
        Family? family = null;
        foreach (var line in text[..^1].Split('\n'))
        {
            if (Help().Match(line) is { Success: true } help)
            {
                family = new Family(help.Groups["name"].Value);
                Assert.True(families.TryAdd(family.Name, family), $"{family.Name} comes twice.");
            }
            else if (TypeLine().Match(line) is { Success: true } type)
            {
                Assert.Equal(family?.Name, type.Groups["name"].Value);
                Assert.Null(family!.Type);
                family.Type = type.Groups["type"].Value;
                Assert.Equal(family.Type == "counter", family.Name.EndsWith("_total", StringComparison.Ordinal));
            }
            else
            {
                var sample = Sample().Match(line);
                Assert.True(sample.Success, $"Not a sample: {line}");
                Assert.NotNull(family?.Type);
                var name = sample.Groups["name"].Value;
                Assert.True(name == family.Name || (family.Type == "histogram" && name[..name.LastIndexOf('_')] == family.Name), $"{name} is not of {family.Name}.");
                var labels = Label().Matches(sample.Groups["labels"].Value).ToDictionary(label => label.Groups["name"].Value, label => label.Groups["value"].Value);
                Assert.Equal(sample.Groups["labels"].Value, string.Join(',', labels.Select(label => $"{label.Key}=\"{label.Value}\"")));
                var value = double.Parse(sample.Groups["value"].Value, NumberStyles.Float, CultureInfo.InvariantCulture);
                Assert.True(family.Samples.TryAdd($"{name}{{{string.Join(',', labels.OrderBy(label => label.Key, StringComparer.Ordinal))}}}", new Sampled(name, labels, value)), $"Twice: {line}");
            }
        }
        foreach (var histogram in families.Values.Where(one => one.Type == "histogram"))
            Check(histogram);
        return families;
    }

    private static void Check(Family histogram)
    {
        var series = histogram.Samples.Values.Where(sample => sample.Name.EndsWith("_bucket", StringComparison.Ordinal))
            .GroupBy(sample => string.Join(',', sample.Labels.Where(label => label.Key != "le").Select(label => $"{label.Key}={label.Value}")));
        Assert.NotEmpty(series);
        foreach (var buckets in series)
        {
            var bounds = buckets.Select(bucket => bucket.Labels["le"] == "+Inf" ? double.PositiveInfinity : double.Parse(bucket.Labels["le"], CultureInfo.InvariantCulture)).ToList();
            Assert.Equal(bounds.Order().Distinct(), bounds);
            Assert.Equal(double.PositiveInfinity, bounds[^1]);
            var counts = buckets.Select(bucket => bucket.Value).ToList();
            Assert.Equal(counts.Order(), counts);
            var rest = histogram.Samples.Values.Where(sample => !sample.Labels.ContainsKey("le") && buckets.Key == string.Join(',', sample.Labels.Select(label => $"{label.Key}={label.Value}"))).ToDictionary(sample => sample.Name);
            Assert.Equal(counts[^1], rest[histogram.Name + "_count"].Value);
            Assert.True(rest[histogram.Name + "_sum"].Value >= 0);
        }
    }

    [GeneratedRegex(@"^# HELP (?<name>[a-z][a-z0-9_]*) \S.*\.$")]
    private static partial Regex Help();

    [GeneratedRegex("^# TYPE (?<name>[a-z][a-z0-9_]*) (?<type>counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^(?<name>[a-z][a-z0-9_]*)(\{(?<labels>[^\n]+)\})? (?<value>-?[0-9.E+-]+|\+Inf|NaN)$")]
    private static partial Regex Sample();

    [GeneratedRegex(@"(?<name>[a-z_]+)=""(?<value>(?:[^""\\\n]|\\[\\""n])*)""")]
    private static partial Regex Label();
}

internal sealed class Family(string name)
{
    public string Name => name;
    public string? Type { get; set; }
    public Dictionary<string, Sampled> Samples { get; } = new(StringComparer.Ordinal);

    /// <summary>The only sample with these labels, the name of a part of a histogram apart.</summary>
    public double Value(params (string Name, string Value)[] labels) =>
        Samples.Values.Single(sample => sample.Labels.Count == labels.Length && labels.All(label => sample.Labels.GetValueOrDefault(label.Name) == label.Value)).Value;
}

internal sealed record Sampled(string Name, IReadOnlyDictionary<string, string> Labels, double Value);
