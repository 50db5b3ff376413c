using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>Requests by route and status, and how long they took. Routes are a closed set; paths are not.</summary>
internal sealed class HttpMetrics : IDisposable
{
    private const string NoRoute = "none";

    private readonly ConcurrentDictionary<Endpoint, Route> _routes = new();
    private readonly Route _unknown = new("ANY", NoRoute);
    private readonly Histogram<double> _duration;

    public HttpMetrics()
    {
        Meter.CreateObservableCounter("astra.http.requests", Measure, description: "Requests answered, by route and status.");
        _duration = Meter.CreateHistogram(
            "astra.http.request.duration", "s", "Requests that ended by themselves; streams are left out.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
    }

    public Meter Meter { get; } = new(new MeterOptions("Astra.Http") { Scope = new object() });

    public async Task Count(HttpContext http, RequestDelegate next)
    {
        var began = Stopwatch.GetTimestamp();
        try
        {
            await next(http);
        }
        finally
        {
            Count(http, began);
        }
    }

    private void Count(HttpContext http, long began)
    {
        var route = http.GetEndpoint() is { } endpoint ? _routes.GetOrAdd(endpoint, RouteOf) : _unknown;
        route.Count(http.Response.StatusCode);
        // A WebSocket is a 101 of HTTP/1.1 or a CONNECT of HTTP/2.
        var isStream = http.Response.StatusCode == StatusCodes.Status101SwitchingProtocols || http.Response.ContentType is "text/event-stream" || HttpMethods.IsConnect(http.Request.Method);
        if (!isStream)
            _duration.Record(Stopwatch.GetElapsedTime(began).TotalSeconds, route.Tag);
    }

    public void Dispose() => Meter.Dispose();

    private static Route RouteOf(Endpoint endpoint) => new(
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is [var method, ..] ? method : "ANY",
        (endpoint as RouteEndpoint)?.RoutePattern.RawText is { Length: > 0 } pattern ? pattern : NoRoute);

    // Two endpoints may have one route and method: what routing answers with itself, 405 for instance.
    private IEnumerable<Measurement<long>> Measure() =>
        from route in _routes.Values.Append(_unknown)
        from status in route.ByStatus
        group status.Count by (route.Method, route.Pattern, status.Kind) into same
        orderby same.Key.Pattern, same.Key.Method, same.Key.Kind
        select new Measurement<long>(same.Sum(), new("route", same.Key.Pattern), new("method", same.Key.Method), new("status", same.Key.Kind));

    private sealed class Route(string method, string pattern)
    {
        private static readonly string[] Kinds = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

        private readonly long[] _counts = new long[Kinds.Length];

        public string Method => method;
        public string Pattern => pattern;
        public KeyValuePair<string, object?> Tag { get; } = new("route", $"{method} {pattern}");

        /// <summary>Only those that have occurred: a route that never failed has no series for it.</summary>
        public IEnumerable<(string Kind, long Count)> ByStatus =>
            Kinds.Select((kind, digit) => (kind, Volatile.Read(ref _counts[digit]))).Where(status => status.Item2 > 0);

        public void Count(int status) => Interlocked.Increment(ref _counts[status / 100 is var digit and >= 1 and <= 5 ? digit : 0]);
    }
}
