using System.Net;
using Microsoft.AspNetCore.Http;

namespace Astra.Gateway;

/// <summary>
/// On a loopback address only requests that name this machine are answered. Otherwise any web page could reach the API
/// by a name of its own that resolves to 127.0.0.1 (DNS rebinding), and the browser would take it for the page's server.
/// </summary>
internal sealed class HostCheck(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext http) => IsThisMachine(http.Request.Host)
        ? next(http)
        : Problems.WriteAsync(http, 421, $"This server answers to localhost and 127.0.0.1 only, not to {http.Request.Host}.");

    private static bool IsThisMachine(HostString host) =>
        string.Equals(host.Host, "localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
}
