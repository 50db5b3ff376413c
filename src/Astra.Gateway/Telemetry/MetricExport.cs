using Astra.Llm.Money;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Astra.Gateway;

/// <summary>Sends what calls of models came to, to the collector that has the traces, once a minute and at the end. Everything else is
/// at /metrics alone, and this is there too.</summary>
public sealed class MetricExport : IDisposable
{
    /// <summary>Any of these asks for metrics where no collector is named otherwise.</summary>
    public static readonly IReadOnlyList<string> Variables = ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

    private const int FlushMillisecondsMax = 5_000;

    private readonly MeterProvider _provider;

    /// <param name="collector">Null leaves everything to the variables.</param>
    /// <param name="isGrpc">Of that collector.</param>
    public MetricExport(Uri? collector, bool isGrpc, string version, string nodeId)
    {
        var to = new OtlpCollector(collector, isGrpc);
        _provider = OpenTelemetry.Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(OtlpCollector.ResourceOf(version, nodeId))
            .AddMeter(MoneyMetrics.MeterName)
            .AddOtlpExporter(exporter => to.Set(exporter, OtlpCollector.MetricsPath))
            .Build();
    }

    public void Dispose()
    {
        _provider.ForceFlush(FlushMillisecondsMax);
        _provider.Dispose();
    }
}
