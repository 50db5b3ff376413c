using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Astra.Gateway;

/// <summary>
/// The instruments of some meters in Prometheus' text format 0.0.4. Histograms are added up here, with no allocation and
/// no lock; everything else is read when somebody scrapes. Names: dots become underscores, the unit is a suffix, counters
/// end in _total.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly MeterListener _listener = new();
    private readonly SortedDictionary<string, IFamily> _families = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    public PrometheusText(params IReadOnlyCollection<Meter> meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // By reference: another node in this process has meters of the same name.
            if (!meters.Contains(instrument.Meter))
                return;
            var family = FamilyOf(instrument);
            lock (_gate)
                _families.Add(family.Name, family);
            listener.EnableMeasurementEvents(instrument, family);
        };
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((IFamily)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((IFamily)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, family) => ((IFamily)family!).Take(value, tags));
        _listener.Start();
    }

    public string Write()
    {
        var text = new StringBuilder(16 << 10);
        lock (_gate)
        {
            foreach (var family in _families.Values)
                family.BeginScrape();
            _listener.RecordObservableInstruments();
            foreach (var family in _families.Values)
            {
                text.Append("# HELP ").Append(family.Name).Append(' ').Append(family.Help.Replace("\\", "\\\\").Replace("\n", "\\n")).Append('\n');
                text.Append("# TYPE ").Append(family.Name).Append(' ').Append(family.Type).Append('\n');
                family.WriteTo(text);
            }
        }
        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private static IFamily FamilyOf(Instrument instrument)
    {
        var kind = instrument.GetType();
        var generic = kind.IsGenericType ? kind.GetGenericTypeDefinition() : null;
        var help = instrument.Description is { Length: > 0 } said ? said : throw new InvalidOperationException($"The instrument {instrument.Name} has no description.");
        return instrument switch
        {
            Histogram<double> histogram => new HistogramFamily(NameOf(instrument), help, histogram.Advice?.HistogramBucketBoundaries),
            Histogram<long> histogram => new HistogramFamily(NameOf(instrument), help, histogram.Advice?.HistogramBucketBoundaries?.Select(bound => (double)bound)),
            _ when generic == typeof(ObservableCounter<>) => new ReadFamily(NameOf(instrument) + "_total", help, "counter"),
            _ when generic == typeof(ObservableGauge<>) => new ReadFamily(NameOf(instrument), help, "gauge"),
            _ => throw new NotSupportedException($"{instrument.Name} is a {kind.Name}; metrics here are histograms, or read when somebody scrapes."),
        };
    }

    private static string NameOf(Instrument instrument) => instrument.Name.Replace('.', '_') + instrument.Unit switch
    {
        null or "" => "",
        "s" => "_seconds",
        "By" => "_bytes",
        ['{', .. var word, '}'] => "_" + word,
        var unit => throw new NotSupportedException($"{instrument.Name} is in '{unit}'; units here are s, By and {{words}}."),
    };

    private static void AppendLabels(StringBuilder text, ReadOnlySpan<KeyValuePair<string, object?>> tags, string? extraName = null, string? extraValue = null)
    {
        if (tags.IsEmpty && extraName is null)
            return;
        var separator = '{';
        foreach (var (name, value) in tags)
        {
            Append(name, Convert.ToString(value, CultureInfo.InvariantCulture) ?? "");
        }
        if (extraName is not null)
            Append(extraName, extraValue!);
        text.Append('}');

        void Append(string name, string value)
        {
            text.Append(separator).Append(name.Replace('.', '_')).Append("=\"").Append(value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
            separator = ',';
        }
    }

    private static void AppendValue(StringBuilder text, double value) => text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');

    private interface IFamily
    {
        string Name { get; }
        string Help { get; }
        string Type { get; }
        void Take(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags);
        void BeginScrape();
        void WriteTo(StringBuilder text);
    }

    /// <summary>Read at the scrape, under the writer's lock.</summary>
    private sealed class ReadFamily(string name, string help, string type) : IFamily
    {
        private readonly StringBuilder _lines = new();

        public string Name => name;
        public string Help => help;
        public string Type => type;

        public void BeginScrape() => _lines.Clear();

        public void Take(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            _lines.Append(name);
            AppendLabels(_lines, tags);
            AppendValue(_lines, value);
        }

        public void WriteTo(StringBuilder text) => text.Append(_lines);
    }

    /// <summary>At most one tag, whose values are few.</summary>
    private sealed class HistogramFamily(string name, string help, IEnumerable<double>? bounds) : IFamily
    {
        private const int SeriesMax = 200;
        private const string Other = "other";

        private readonly double[] _bounds = [.. bounds ?? throw new NotSupportedException($"{name} gives no advice on its buckets.")];
        private readonly ConcurrentDictionary<string, Buckets> _byTag = new(StringComparer.Ordinal);
        private volatile Buckets? _untagged;
        private volatile string? _tag;

        public string Name => name;
        public string Help => help;
        public string Type => "histogram";

        public void BeginScrape()
        {
        }

        public void Take(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags.IsEmpty)
            {
                (_untagged ??= new Buckets(_bounds.Length)).Add(_bounds, value);
                return;
            }
            _tag ??= tags[0].Key;
            var word = tags[0].Value as string ?? "";
            if (!_byTag.TryGetValue(word, out var buckets))
                buckets = _byTag.GetOrAdd(_byTag.Count < SeriesMax ? word : Other, static (_, count) => new Buckets(count), _bounds.Length);
            buckets.Add(_bounds, value);
        }

        public void WriteTo(StringBuilder text)
        {
            if (_untagged is { } untagged)
                Write(text, untagged, []);
            else if (_tag is null)
                Write(text, new Buckets(_bounds.Length), []);
            foreach (var (word, buckets) in _byTag.OrderBy(series => series.Key, StringComparer.Ordinal))
                Write(text, buckets, [new(_tag!, word)]);
        }

        private void Write(StringBuilder text, Buckets buckets, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            // Read once, so that what is cumulative and the count agree while others add.
            var counts = buckets.Read();
            var cumulative = 0L;
            for (var i = 0; i < counts.Length; i++)
            {
                cumulative += counts[i];
                text.Append(name).Append("_bucket");
                AppendLabels(text, tags, "le", i < _bounds.Length ? _bounds[i].ToString("R", CultureInfo.InvariantCulture) : "+Inf");
                AppendValue(text, cumulative);
            }
            text.Append(name).Append("_sum");
            AppendLabels(text, tags);
            AppendValue(text, buckets.Sum);
            text.Append(name).Append("_count");
            AppendLabels(text, tags);
            AppendValue(text, cumulative);
        }
    }

    private sealed class Buckets(int boundCount)
    {
        private readonly long[] _counts = new long[boundCount + 1];
        private double _sum;

        public double Sum => Volatile.Read(ref _sum);

        public void Add(double[] bounds, double value)
        {
            var bucket = 0;
            while (bucket < bounds.Length && value > bounds[bucket])
                bucket++;
            Interlocked.Increment(ref _counts[bucket]);
            double seen, sum = Volatile.Read(ref _sum);
            do
                seen = sum;
            while ((sum = Interlocked.CompareExchange(ref _sum, seen + value, seen)) != seen);
        }

        public long[] Read()
        {
            var counts = new long[_counts.Length];
            for (var i = 0; i < counts.Length; i++)
                counts[i] = Volatile.Read(ref _counts[i]);
            return counts;
        }
    }
}
