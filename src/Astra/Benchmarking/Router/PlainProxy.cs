using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Astra.Benchmarking.Router;

/// <summary>
/// What the router is held against on the same machine: the framework's server and the framework's client with nothing between
/// them. It knows no key, no route, no budget and no usage. In a process of its own, on a loopback port that it prints.
/// </summary>
internal static class PlainProxy
{
    public const string Verb = "bench-proxy";

    public static async Task<int> RunAsync(int upstreamPort, TextWriter output, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        using var connections = new SocketsHttpHandler { UseCookies = false, UseProxy = false, AllowAutoRedirect = false };
        using var upstream = new HttpMessageInvoker(connections);
        app.Run(http => PassAsync(upstream, upstreamPort, http));
        await app.StartAsync(cancellationToken);
        await output.WriteLineAsync($"listening on {new Uri(app.Urls.First()).Port}");
        await output.FlushAsync(cancellationToken);
        await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }

    private static async Task PassAsync(HttpMessageInvoker upstream, int port, HttpContext http)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}{http.Request.Path}") { Content = new StreamContent(http.Request.Body) };
        request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(http.Request.ContentType!);
        request.Content.Headers.ContentLength = http.Request.ContentLength;
        using var answer = await upstream.SendAsync(request, http.RequestAborted);
        http.Response.StatusCode = (int)answer.StatusCode;
        http.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        http.Response.ContentLength = answer.Content.Headers.ContentLength;
        await answer.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}
