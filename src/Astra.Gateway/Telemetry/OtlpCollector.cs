using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;

namespace Astra.Gateway;

/// <summary>Where spans and metrics go to. The exporters read the standard variables OTEL_EXPORTER_OTLP_* themselves; an address given
/// here comes before them, and is http/protobuf unless OTEL_EXPORTER_OTLP_PROTOCOL says grpc.</summary>
/// <param name="collector">Null leaves everything to the variables.</param>
internal sealed class OtlpCollector(Uri? collector, bool isGrpc)
{
    public const string TracesPath = "v1/traces";
    public const string MetricsPath = "v1/metrics";

    /// <param name="path">Of this signal; an address that ends in that of the traces names the collector all the same.</param>
    public void Set(OtlpExporterOptions exporter, string path)
    {
        if (collector is null)
            return;
        exporter.Protocol = isGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        var address = collector.ToString().TrimEnd('/');
        if (!isGrpc && address.EndsWith(TracesPath, StringComparison.Ordinal))
            address = address[..^TracesPath.Length].TrimEnd('/');
        exporter.Endpoint = isGrpc ? collector : new Uri($"{address}/{path}");
    }

    public static ResourceBuilder ResourceOf(string version, string nodeId) =>
        ResourceBuilder.CreateDefault().AddService("astra", serviceVersion: version, serviceInstanceId: nodeId);
}
