using Astra.Kernel;

namespace Astra.Gateway;

/// <summary>Everything that /metrics shows: the kernel's instruments, the node's gauges, the requests.</summary>
internal sealed class Metrics : IDisposable
{
    private readonly KernelNode _node;
    private readonly NodeGauges _gauges;
    private readonly PrometheusText _text;

    public Metrics(KernelNode node, DateTimeOffset startedAt)
    {
        (_node, _gauges) = (node, new NodeGauges(startedAt));
        _text = new PrometheusText(node.Metrics.Meter, _gauges.Meter, Http.Meter);
    }

    public HttpMetrics Http { get; } = new();

    public async ValueTask<string> ScrapeAsync()
    {
        _gauges.Show(await _node.SampleAsync());
        return _text.Write();
    }

    public void Dispose()
    {
        _text.Dispose();
        _gauges.Dispose();
        Http.Dispose();
    }
}
