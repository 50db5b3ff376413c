using OpenTelemetry;
using OpenTelemetry.Trace;

namespace Astra.Gateway;

/// <summary>Sends spans to a collector over OTLP.</summary>
public sealed class TraceExport : IDisposable
{
    /// <summary>Any of these asks for traces.</summary>
    public static readonly IReadOnlyList<string> Variables = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    private const int FlushMillisecondsMax = 5_000;

    private readonly TracerProvider _provider;

    /// <param name="collector">Null leaves everything to the variables.</param>
    /// <param name="isGrpc">Of that collector.</param>
    public TraceExport(Uri? collector, bool isGrpc, string version, string nodeId)
    {
        var to = new OtlpCollector(collector, isGrpc);
        _provider = OpenTelemetry.Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(OtlpCollector.ResourceOf(version, nodeId))
            .AddSource(GoalTraces.SourceName)
            .AddOtlpExporter(exporter => to.Set(exporter, OtlpCollector.TracesPath))
            .Build();
    }

    public void Dispose()
    {
        _provider.ForceFlush(FlushMillisecondsMax);
        _provider.Dispose();
    }
}
