using System.Net;
using System.Net.Sockets;
using Astra.Llm.Config;

namespace Astra.Llm.Routing;

/// <summary>The connections to one side of the world.</summary>
internal sealed class Transport(SocketsHttpHandler handler) : IDisposable
{
    // Without HttpClient around it: deadlines are the router's, and one source of cancellation for each request is enough.
    private readonly HttpMessageInvoker _http = new(handler);

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => _http.SendAsync(request, cancellationToken);

    public void Dispose() => _http.Dispose();
}

/// <summary>The owner of this provider may not have the server connect to where its address leads.</summary>
internal sealed class AddressForbiddenException(string sentence) : IOException(sentence);

/// <summary>
/// Two pools of connections: one for providers that whoever runs the server has named, wherever they are, and one for those of
/// tenants, which reach public addresses only. Tenants choose the URL and this server connects: without the check a base URL
/// would reach whatever the server reaches.
/// </summary>
/// <param name="isPublic">Which addresses everybody may reach.</param>
internal sealed class Transports(Func<IPAddress, bool> isPublic) : IDisposable
{
    private static readonly TimeSpan ConnectTimeMax = TimeSpan.FromSeconds(10);

    private readonly Transport _trusted = new(NewHandler());
    private readonly Transport _checked = new(NewChecked(isPublic));

    public Transport For(ProviderConfig provider) => provider.Tenant is null ? _trusted : _checked;

    public void Dispose()
    {
        _trusted.Dispose();
        _checked.Dispose();
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        ConnectTimeout = ConnectTimeMax,
        // Each request has its trace in Astra; a provider has no use for its id.
        ActivityHeadersPropagator = null,
    };

    private static SocketsHttpHandler NewChecked(Func<IPAddress, bool> isPublic)
    {
        var handler = NewHandler();
        handler.UseProxy = false;
        handler.ConnectCallback = (context, cancellationToken) => ConnectAsync(context, isPublic, cancellationToken);
        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, Func<IPAddress, bool> isPublic, CancellationToken cancellationToken)
    {
        // Resolved here, and the connection goes to the very address that was checked: a name can mean another place a moment later.
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host.Trim('[', ']'), out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellationToken);
        var allowed = addresses.Where(isPublic).ToArray();
        if (allowed.Length == 0)
            throw new AddressForbiddenException($"{host} is not at a public address; only whoever runs the server can name a provider there.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
