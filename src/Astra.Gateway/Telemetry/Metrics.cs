using System.Diagnostics.Metrics;
using Astra.Kernel;
using Astra.Llm.Money;
using Astra.Tools.Webhooks;

namespace Astra.Gateway;

/// <summary>Everything that /metrics shows: the kernel's instruments, the node's gauges, the requests, models and hooks.</summary>
internal sealed class Metrics : IDisposable
{
    private readonly KernelNode _node;
    private readonly HookMetrics? _hooks;
    private readonly NodeGauges _gauges;
    private readonly PrometheusText _text;

    /// <param name="money">Null on a server without models.</param>
    /// <param name="hooks">Null on one without hooks.</param>
    public Metrics(KernelNode node, DateTimeOffset startedAt, MoneyMetrics? money, HookMetrics? hooks)
    {
        (_node, _hooks, _gauges) = (node, hooks, new NodeGauges(startedAt));
        _text = new PrometheusText([.. new[] { node.Metrics.Meter, _gauges.Meter, Http.Meter, money?.Meter, hooks?.Meter }.OfType<Meter>()]);
    }

    public HttpMetrics Http { get; } = new();

    public async ValueTask<string> ScrapeAsync()
    {
        if (_hooks is not null)
            await _hooks.LookAsync();
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
