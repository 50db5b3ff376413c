using Astra.Kernel;
using Astra.Llm.Money;

namespace Astra.Gateway;

/// <summary>Everything that /metrics shows: the kernel's instruments, the node's gauges, the requests.</summary>
internal sealed class Metrics : IDisposable
{
    private readonly KernelNode _node;
    private readonly NodeGauges _gauges;
    private readonly PrometheusText _text;

    /// <param name="money">Null on a server without models.</param>
    public Metrics(KernelNode node, DateTimeOffset startedAt, MoneyMetrics? money)
    {
        (_node, _gauges) = (node, new NodeGauges(startedAt));
        _text = money is null
            ? new PrometheusText(node.Metrics.Meter, _gauges.Meter, Http.Meter)
            : new PrometheusText(node.Metrics.Meter, _gauges.Meter, Http.Meter, money.Meter);
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
