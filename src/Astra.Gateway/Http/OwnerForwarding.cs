using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Astra.Gateway;

/// <summary>
/// Any node takes any request: one about a goal that lives on another node is handed to that node as it came, with the
/// caller's own key, and the answer is handed back as it arrives.
/// </summary>
internal sealed class OwnerForwarding : IDisposable
{
    // A request is handed on once. Two nodes that each take the other for the owner (a shard is moving) would
    // otherwise send it back and forth.
    private const string ForwardedHeader = "Astra-Forwarded";

    // Bodies are kept so that they can be sent again; beyond this on disk.
    public const int BodyInMemoryMax = 1 << 20;

    private static readonly HashSet<string> NotForwarded = new(StringComparer.OrdinalIgnoreCase)
    {
        MovingRequests.UntouchedHeader, "Connection", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect", "Date", "Server",
    };

    private readonly RequestForwarder _forwarder = new();

    /// <summary>Before an endpoint reads the body: it may have to be read twice.</summary>
    public static Task KeepBody(HttpContext http, RequestDelegate next)
    {
        // A request for a model has no owner among the nodes, and is not kept: it may be a conversation of megabytes.
        if (http.GetEndpoint()?.Metadata.GetMetadata<ModelDialect>() is null && http.Request.ContentLength is not 0 && http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true })
            http.Request.EnableBuffering(BodyInMemoryMax);
        return next(http);
    }

    public static bool IsForwarded(HttpRequest request) => request.Headers.ContainsKey(ForwardedHeader);

    public async Task ForwardAsync(HttpContext http, Refusal refusal)
    {
        if (refusal.Address is null || IsForwarded(http.Request))
        {
            http.Response.Headers.RetryAfter = "1";
            http.Response.Headers[MovingRequests.UntouchedHeader] = "1";
            await Problems.WriteAsync(http, 503, "This is moving from one node to another; try again in a second.");
            return;
        }

        try
        {
            using var answer = await _forwarder.SendAsync(ToForward(http.Request, refusal.Address), http.RequestAborted);
            if (answer.Headers.Any(header => header.Key.Equals(MovingRequests.UntouchedHeader, StringComparison.OrdinalIgnoreCase)) && MovingRequests.TakesBack(http, refusal))
                return;
            await CopyAsync(answer, http);
        }
        catch (IOException) when (http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            throw new BrokenAnswerException();
        }
        catch (HttpRequestException e) when (!http.Response.HasStarted)
        {
            if (IsHarmlessAgain(e, http.Request) && MovingRequests.TakesBack(http, refusal))
                return;
            http.Response.Headers.RetryAfter = "2";
            await Problems.WriteAsync(http, 503, $"The node that owns this, at {refusal.Address}, does not answer ({e.Message}); another one takes over within seconds.");
        }
    }

    /// <summary>Where no connection came about nobody has heard of the request; what only reads, or carries a key that makes a
    /// repetition the same, may be repeated whoever has heard of it.</summary>
    private static bool IsHarmlessAgain(HttpRequestException e, HttpRequest request) =>
        e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
        || HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || request.Headers.ContainsKey("Idempotency-Key");

    public void Dispose() => _forwarder.Dispose();

    private static ForwardedRequest ToForward(HttpRequest request, string address)
    {
        var headers = request.Headers
            .Where(header => !NotForwarded.Contains(header.Key))
            .SelectMany(header => header.Value, (header, value) => KeyValuePair.Create(header.Key, value ?? ""))
            .Append(KeyValuePair.Create(ForwardedHeader, "1"))
            .ToList();
        Stream? body = null;
        if (request.Body.CanSeek)
        {
            request.Body.Position = 0;
            body = request.Body;
        }
        return new ForwardedRequest(request.Method, new Uri(new Uri(address), $"{request.PathBase}{request.Path.ToUriComponent()}{request.QueryString}"), headers, body);
    }

    private static async Task CopyAsync(ForwardedAnswer answer, HttpContext http)
    {
        http.Response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            if (!NotForwarded.Contains(name))
                http.Response.Headers.Append(name, value);
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await http.Response.StartAsync(http.RequestAborted);
        // Flushed as it arrives: an event stream is worth nothing a kilobyte at a time.
        var buffer = new byte[16 << 10];
        while (await answer.Body.ReadAsync(buffer, http.RequestAborted) is var count and > 0)
        {
            await http.Response.Body.WriteAsync(buffer.AsMemory(0, count), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }
}
