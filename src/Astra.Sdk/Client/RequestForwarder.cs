using System.Net.Http.Headers;

namespace Astra.Sdk;

/// <summary>Hands a request on to another node as it came, and its answer back as it comes.</summary>
public sealed class RequestForwarder : IDisposable
{
    // A node that does not take the connection by then is taken for gone; its shards move within seconds.
    private static readonly TimeSpan ConnectTimeMax = TimeSpan.FromSeconds(2);

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        ConnectTimeout = ConnectTimeMax,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
    });

    /// <exception cref="HttpRequestException">The other node does not answer.</exception>
    public async Task<ForwardedAnswer> SendAsync(ForwardedRequest request, CancellationToken cancellationToken)
    {
        // Not disposed: that would close the body, which is the caller's, and may have to be sent once more.
        var message = new HttpRequestMessage(new HttpMethod(request.Method), request.Target);
        if (request.Body is { } body)
            message.Content = new StreamContent(body);
        foreach (var (name, value) in request.Headers)
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        var response = await _http.SendAsync(message, cancellationToken);
        return new ForwardedAnswer(response, await response.Content.ReadAsStreamAsync(cancellationToken));
    }

    public void Dispose() => _http.Dispose();
}

public sealed record ForwardedRequest(string Method, Uri Target, IReadOnlyList<KeyValuePair<string, string>> Headers, Stream? Body);

/// <summary>The head of the other node's answer, and its body as it arrives.</summary>
public sealed class ForwardedAnswer(HttpResponseMessage response, Stream body) : IDisposable
{
    public int Status => (int)response.StatusCode;
    public Stream Body => body;

    public IEnumerable<KeyValuePair<string, string>> Headers =>
        ((HttpHeaders)response.Headers).Concat(response.Content.Headers)
        .SelectMany(header => header.Value.Select(value => KeyValuePair.Create(header.Key, value)));

    public void Dispose() => response.Dispose();
}
