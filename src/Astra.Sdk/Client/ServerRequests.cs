using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;

namespace Astra.Sdk;

/// <summary>HTTP to one server: JSON in, JSON out, and every refusal as an <see cref="AstraException"/>.</summary>
internal sealed class ServerRequests : IDisposable
{
    private const string JsonType = "application/json";

    private readonly HttpClient _http;

    public ServerRequests(Uri address, string apiKey, HttpMessageHandler? handler)
    {
        Address = address;
        // No overall time-out: it would also end a followed stream. The caller's token and the server's own limits
        // end a request, and a connection that cannot be made ends here.
        _http = new HttpClient(handler ?? new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), AllowAutoRedirect = false }, disposeHandler: true)
        {
            BaseAddress = new Uri(address, "/api/v1/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
    }

    public Uri Address { get; }

    public async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, CancellationToken cancellationToken, Action<HttpRequestHeaders>? headers = null)
    {
        using var response = await SendAsync(method, path, ToContent(body), cancellationToken, headers);
        var bytes = await ReadAsync(response, cancellationToken);
        try
        {
            return AstraJson.Read<T>(bytes);
        }
        catch (JsonException e)
        {
            throw new AstraException((int)response.StatusCode, "Unreadable answer", $"{Address} answered something that is not a {typeof(T).Name}; is it an Astra server of this version? {e.Message}");
        }
    }

    /// <summary>Asks for no more than the ETag, and answers the revision in it. A server that sends everything all the same
    /// names it too.</summary>
    public async Task<long> SendForRevisionAsync(HttpMethod method, string path, object body, Action<HttpRequestHeaders>? headers, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(method, path, ToContent(body), cancellationToken, all =>
        {
            headers?.Invoke(all);
            all.Add("Prefer", "return=minimal");
        });
        return long.TryParse(response.Headers.ETag?.Tag.Trim('"'), out var revision)
            ? revision
            : throw new AstraException((int)response.StatusCode, "Unreadable answer", $"{Address} did not say which revision the edit has made; is it an Astra server of this version?");
    }

    /// <summary>Posts JSON; the answer is whatever JSON it is, and null when that is null.</summary>
    public async Task<JsonElement?> SendForAnyAsync(string path, JsonElement body, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Post, path, ToContent(body), cancellationToken);
        return AstraJson.Parse(await ReadAsync(response, cancellationToken)) is { ValueKind: not JsonValueKind.Null } answer ? answer : null;
    }

    /// <summary>The response of a request that succeeded, its body not read yet.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken, Action<HttpRequestHeaders>? headers = null)
    {
        var response = await AskAsync(method, path, content, cancellationToken, headers);
        if (response.IsSuccessStatusCode)
            return response;
        using (response)
            throw await ToExceptionAsync(response, cancellationToken);
    }

    /// <summary>Whatever is answered, its body not read yet.</summary>
    public async Task<HttpResponseMessage> AskAsync(
        HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken, Action<HttpRequestHeaders>? headers = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        headers?.Invoke(request.Headers);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        // A connection that is reset in the very moment in which it is made comes as what the socket said.
        catch (Exception e) when (e is HttpRequestException or SocketException)
        {
            throw new AstraException(0, "No answer", $"No server answers at {Address}: {e.Message}");
        }
    }

    public void Dispose() => _http.Dispose();

    public static ByteArrayContent? ToContent(object? body)
    {
        if (body is null)
            return null;
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, body.GetType(), AstraJson.Options));
        content.Headers.ContentType = new MediaTypeHeaderValue(JsonType);
        return content;
    }

    /// <summary>An answer that breaks off half-way is none.</summary>
    private async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Content.ReadAsByteArrayAsync(cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            throw new AstraException(0, "No answer", $"The answer of {Address} broke off: {e.Message}");
        }
    }

    private async Task<AstraException> ToExceptionAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var retryAfter = response.Headers.RetryAfter?.Delta;
        try
        {
            var problem = AstraJson.Read<Problem>(await ReadAsync(response, cancellationToken));
            return new AstraException(status, problem.Title, problem.Detail ?? problem.Title, retryAfter);
        }
        catch (JsonException)
        {
            return new AstraException(status, response.ReasonPhrase ?? "Error", $"{Address} answered {status}, and not as an Astra server does.", retryAfter);
        }
    }
}

internal static class HttpStatus
{
    /// <summary>Another try may do better: the server or the way to it is not there right now.</summary>
    public static bool IsPassing(int status) =>
        status is 0 or (int)HttpStatusCode.TooManyRequests or (int)HttpStatusCode.BadGateway or (int)HttpStatusCode.ServiceUnavailable or (int)HttpStatusCode.GatewayTimeout;
}
