using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Astra.Gateway;

/// <summary>
/// The listener for HTTP/2. It listens to no network: connections come from <see cref="FirstBytes"/>, which has found them on
/// the port for both. An endpoint without TLS serves one version of HTTP, and this is the endpoint of the other one.
/// </summary>
internal sealed class Http2Listener : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionListener
{
    // No bound of its own: what waits here is counted among the connections of the port.
    private readonly Channel<ConnectionContext> _connections = Channel.CreateUnbounded<ConnectionContext>(new UnboundedChannelOptions { SingleReader = true });

    public EndPoint EndPoint { get; } = new NowhereElse();

    /// <summary>Completes when the connection has ended.</summary>
    public Task ServeAsync(ConnectionContext connection)
    {
        var handedOver = new HandedOverConnection(connection);
        // Nobody takes it any more when the server stops; then it ends at once.
        return _connections.Writer.TryWrite(handedOver) ? handedOver.Ended : Task.CompletedTask;
    }

    public bool CanBind(EndPoint endpoint) => endpoint == EndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _connections.Reader.WaitToReadAsync(cancellationToken))
            if (_connections.Reader.TryRead(out var connection))
                return connection;
        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _connections.Writer.TryComplete();
        return default;
    }

    public ValueTask DisposeAsync() => UnbindAsync();

    /// <summary>An address that is no place, and equal to itself only.</summary>
    private sealed class NowhereElse : EndPoint
    {
        public override string ToString() => "http2";
    }
}
