using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Astra.Tests.EndToEnd;

namespace Astra.Tests.Api;

/// <summary>A collector that takes spans over OTLP/HTTP, and reads as much of their protobuf as the tests ask about.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly HttpReceiver _receiver;

    public OtlpReceiver()
    {
        var port = HttpReceiver.FreePort();
        Address = new Uri($"http://127.0.0.1:{port}");
        _receiver = new HttpReceiver(port, Take);
    }

    public Uri Address { get; }
    public ConcurrentQueue<OtlpSpan> Spans { get; } = [];
    public ConcurrentQueue<string> Paths { get; } = [];

    /// <summary>The latest of each instrument, point by point.</summary>
    public ConcurrentQueue<OtlpPoint> Points { get; } = [];

    public ValueTask DisposeAsync() => _receiver.DisposeAsync();

    private void Take(HttpListenerContext http, byte[] body)
    {
        Paths.Enqueue($"{http.Request.HttpMethod} {http.Request.Url!.AbsolutePath} {http.Request.ContentType}");
        if (http.Request.Url!.AbsolutePath.EndsWith("/metrics", StringComparison.Ordinal))
        {
            TakeMetrics(body);
            http.Response.ContentType = "application/x-protobuf";
            http.Response.Close();
            return;
        }
        // ExportTraceServiceRequest.resource_spans, .scope_spans, .spans
        foreach (var resource in Fields(body).Where(field => field.Number == 1))
            foreach (var scope in Fields(resource.Bytes).Where(field => field.Number == 2))
                foreach (var span in Fields(scope.Bytes).Where(field => field.Number == 2))
                    Spans.Enqueue(ReadSpan(span.Bytes));
        http.Response.ContentType = "application/x-protobuf";
        http.Response.Close();
    }

    /// <summary>ExportMetricsServiceRequest.resource_metrics, .scope_metrics, .metrics; of each its histogram's points.</summary>
    private void TakeMetrics(byte[] body)
    {
        foreach (var resource in Fields(body).Where(field => field.Number == 1))
            foreach (var scope in Fields(resource.Bytes).Where(field => field.Number == 2))
                foreach (var metric in Fields(scope.Bytes).Where(field => field.Number == 2))
                {
                    var fields = Fields(metric.Bytes).ToList();
                    foreach (var histogram in fields.Where(field => field.Number == 9))
                        foreach (var point in Fields(histogram.Bytes).Where(field => field.Number == 1))
                            Points.Enqueue(ReadPoint(Text(fields, 1), Text(fields, 3), [.. Fields(point.Bytes)]));
                }
    }

    private static OtlpPoint ReadPoint(string name, string unit, List<ProtoField> point) => new(
        name, unit, point.Single(field => field.Number == 4).Value, BitConverter.UInt64BitsToDouble(point.Single(field => field.Number == 5).Value),
        point.Where(field => field.Number == 9).Select(field => ReadAttribute(field.Bytes)).ToDictionary(attribute => attribute.Key, attribute => attribute.Value));

    private static string Text(List<ProtoField> fields, int number) => Encoding.UTF8.GetString(fields.Single(field => field.Number == number).Bytes);

    private static OtlpSpan ReadSpan(byte[] bytes)
    {
        var fields = Fields(bytes).ToList();
        return new OtlpSpan(
            Hex(fields, 1), Hex(fields, 2), Hex(fields, 4), Encoding.UTF8.GetString(fields.Single(field => field.Number == 5).Bytes),
            fields.Single(field => field.Number == 7).Value, fields.Single(field => field.Number == 8).Value,
            fields.Where(field => field.Number == 9).Select(field => ReadAttribute(field.Bytes)).ToDictionary(attribute => attribute.Key, attribute => attribute.Value),
            [.. fields.Where(field => field.Number == 13).Select(field => Hex([.. Fields(field.Bytes)], 2))]);
    }

    private static KeyValuePair<string, string> ReadAttribute(byte[] bytes)
    {
        var fields = Fields(bytes).ToList();
        var value = Fields(fields.Single(field => field.Number == 2).Bytes).Single();
        return new(Encoding.UTF8.GetString(fields.Single(field => field.Number == 1).Bytes), value.Number == 1 ? Encoding.UTF8.GetString(value.Bytes) : value.Value.ToString());
    }

    private static string Hex(List<ProtoField> fields, int number) =>
        fields.FirstOrDefault(field => field.Number == number) is { } found ? Convert.ToHexStringLower(found.Bytes) : "";

    private static IEnumerable<ProtoField> Fields(byte[] bytes)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var tag = Varint(bytes, ref at);
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    yield return new ProtoField(number, Varint(bytes, ref at), []);
                    break;
                case 1:
                    yield return new ProtoField(number, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)), []);
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(bytes, ref at);
                    yield return new ProtoField(number, 0, bytes[at..(at + length)]);
                    at += length;
                    break;
                case 5:
                    yield return new ProtoField(number, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at)), []);
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"Wire type {tag & 7} at {at}.");
            }
        }
    }

    private static ulong Varint(byte[] bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var part = bytes[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }
    }

    private sealed record ProtoField(int Number, ulong Value, byte[] Bytes);
}

/// <param name="Links">The ids of the spans it is linked with.</param>
internal sealed record OtlpSpan(
    string TraceId, string Id, string ParentId, string Name, ulong Start, ulong End, IReadOnlyDictionary<string, string> Attributes, IReadOnlyList<string> Links);

/// <param name="Count">How many measurements the point of the histogram stands for.</param>
internal sealed record OtlpPoint(string Name, string Unit, ulong Count, double Sum, IReadOnlyDictionary<string, string> Attributes);
