using Astra.Sdk;

namespace Astra.Hosting;

/// <summary>A server over HTTP, on this machine or another.</summary>
public sealed class HttpServerLink(Uri address, string apiKey) : IServerLink
{
    private readonly AstraClient _client = new(address, apiKey);

    public IAstraClient Client => _client;

    public Task RequestStopAsync(CancellationToken cancellationToken) => _client.StopServerAsync(cancellationToken);

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }
}
