using System.Net;

namespace Astra.Tests.EndToEnd;

/// <summary>Takes requests on a port of this machine, one after the other, until it is disposed.</summary>
internal sealed class HttpReceiver : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _serving;

    /// <param name="port">Free, as <see cref="FreePort"/> says.</param>
    /// <param name="answer">Told the request and its body; it closes the response, or leaves the sender waiting.</param>
    public HttpReceiver(int port, Action<HttpListenerContext, byte[]> answer)
    {
        _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        _listener.Start();
        _serving = ServeAsync(answer);
    }

    public static int FreePort() => Astra.Gateway.Gateway.FindFreePort(IPAddress.Loopback);

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Close();
    }

    private async Task ServeAsync(Action<HttpListenerContext, byte[]> answer)
    {
        while (true)
        {
            HttpListenerContext http;
            try
            {
                http = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            using var body = new MemoryStream();
            await http.Request.InputStream.CopyToAsync(body);
            answer(http, body.ToArray());
        }
    }
}
