using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Astra.Gateway;

/// <summary>
/// Sends spans to a collector over OTLP. The exporter reads the standard variables OTEL_EXPORTER_OTLP_* itself; an address
/// given here comes before them, and is http/protobuf unless OTEL_EXPORTER_OTLP_PROTOCOL says grpc.
/// </summary>
public sealed class TraceExport : IDisposable
{
    /// <summary>Any of these asks for traces.</summary>
    public static readonly IReadOnlyList<string> Variables = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    private const string TracesPath = "v1/traces";
    private const int FlushMillisecondsMax = 5_000;

    private readonly TracerProvider _provider;

    /// <param name="collector">Null leaves everything to the variables.</param>
    /// <param name="isGrpc">Of that collector.</param>
    public TraceExport(Uri? collector, bool isGrpc, string version, string nodeId)
    {
        _provider = OpenTelemetry.Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(ResourceBuilder.CreateDefault().AddService("astra", serviceVersion: version, serviceInstanceId: nodeId))
            .AddSource(GoalTraces.SourceName)
            .AddOtlpExporter(exporter =>
            {
                if (collector is null)
                    return;
                exporter.Protocol = isGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
                exporter.Endpoint = isGrpc || collector.AbsolutePath.EndsWith(TracesPath, StringComparison.Ordinal)
                    ? collector
                    : new Uri(collector.ToString().TrimEnd('/') + "/" + TracesPath);
            })
            .Build();
    }

    public void Dispose()
    {
        _provider.ForceFlush(FlushMillisecondsMax);
        _provider.Dispose();
    }
}
