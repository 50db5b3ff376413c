using System.Globalization;
using Astra.Kernel;
using Astra.Sdk;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Astra.Gateway;

/// <summary>
/// The bus between the nodes of a fleet: a question is one request to the other node's gateway, signed with the secret
/// that only nodes can read from the database. Answers to anybody else: 401, and nothing about the fleet.
/// </summary>
public sealed class HttpBus(FleetSecret secret, TimeProvider clock) : IBus, IDisposable
{
    public const string Path = "/fleet/bus";

    // As much as a worker may report: a frame of its protocol, and the little that stands around it.
    public const int QuestionBytesMax = 33 << 20;

    public const string NodeHeader = "Astra-Fleet-Node";
    public const string AtHeader = "Astra-Fleet-At";
    public const string NonceHeader = "Astra-Fleet-Nonce";
    public const string SignatureHeader = "Astra-Fleet-Signature";

    private const int AnswerBytesMax = 8 << 20;
    private const string ContentType = "application/octet-stream";

    private readonly RequestForwarder _http = new();
    private volatile Service? _service;

    public async ValueTask<ReadOnlyMemory<byte>> AskAsync(NodeRegistration to, ReadOnlyMemory<byte> question, CancellationToken cancellationToken)
    {
        if (question.Length > QuestionBytesMax)
            throw new BusUnavailableException($"The question has {question.Length} bytes, and {QuestionBytesMax} is the limit.");
        var stamp = secret.SignQuestion(to.Node.Value, clock.GetUtcNow(), question.Span);
        KeyValuePair<string, string>[] headers =
        [
            new("Content-Type", ContentType), new("Content-Length", question.Length.ToString(CultureInfo.InvariantCulture)),
            new(NodeHeader, Uri.EscapeDataString(to.Node.Value)), new(AtHeader, stamp.At), new(NonceHeader, stamp.Nonce), new(SignatureHeader, stamp.Signature),
        ];
        try
        {
            using var body = new MemoryStream(question.ToArray());
            using var answer = await _http.SendAsync(new ForwardedRequest("POST", new Uri(new Uri(to.Address), Path), headers, body), cancellationToken);
            if (answer.Status != StatusCodes.Status200OK)
                throw new BusUnavailableException($"It answered with status {answer.Status}.");
            var bytes = await ReadAsync(answer.Body, AnswerBytesMax, cancellationToken)
                ?? throw new BusUnavailableException($"Its answer has more than {AnswerBytesMax} bytes.");
            var signature = answer.Headers.FirstOrDefault(header => header.Key.Equals(SignatureHeader, StringComparison.OrdinalIgnoreCase)).Value ?? "";
            return secret.IsGoodAnswer(stamp, signature, bytes)
                ? bytes
                : throw new BusUnavailableException($"What listens at {to.Address} is no node of this fleet.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or UriFormatException)
        {
            throw new BusUnavailableException($"Nothing answers at {to.Address}: {e.Message}", e)
            {
                // A status is not signed, so what it says is not to be relied on.
                HasReachedNobody = e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError },
            };
        }
    }

    public IDisposable Serve(NodeRegistration self, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) =>
        _service = new Service(this, self.Node.Value, answer);

    public void Dispose() => _http.Dispose();

    internal void Map(IEndpointRouteBuilder app) => app.MapPost(Path, (Delegate)AnswerAsync).For(Access.Anyone).ExcludeFromDescription();

    private async Task<IResult> AnswerAsync(HttpContext http)
    {
        var request = http.Request;
        var stamp = new FleetStamp(request.Headers[AtHeader].ToString(), request.Headers[NonceHeader].ToString(), request.Headers[SignatureHeader].ToString());
        // Whoever cannot know the secret is not read further than needed: no signature, no body.
        if (stamp.Signature.Length == 0)
            return Stranger();
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = QuestionBytesMax;
        if (await ReadAsync(request.Body, QuestionBytesMax, http.RequestAborted) is not { } question)
            return Problems.Of(StatusCodes.Status413PayloadTooLarge, $"A question between nodes has at most {QuestionBytesMax} bytes.");
        var to = Uri.UnescapeDataString(request.Headers[NodeHeader].ToString());
        if (!secret.IsGoodQuestion(to, clock.GetUtcNow(), stamp, question))
            return Stranger();
        if (_service is not { } service)
            return Problems.Of(StatusCodes.Status503ServiceUnavailable, "This node is starting or stopping.");
        if (service.Node != to)
            return Problems.Of(StatusCodes.Status421MisdirectedRequest, $"This is node {service.Node}, and the question is for {to}.");
        var answer = await service.Answer(question);
        http.Response.Headers[SignatureHeader] = secret.SignAnswer(stamp, answer.Span);
        return Results.Bytes(answer, ContentType);
    }

    private static IResult Stranger() => Problems.Of(
        StatusCodes.Status401Unauthorized, "This is for the nodes of one fleet: they sign with the secret in their database, and their clocks agree to within a minute.");

    /// <returns>Null when there is more than that.</returns>
    private static async Task<byte[]?> ReadAsync(Stream body, int bytesMax, CancellationToken cancellationToken)
    {
        using var read = new MemoryStream();
        var buffer = new byte[16 << 10];
        while (await body.ReadAsync(buffer, cancellationToken) is var count and > 0)
        {
            if (read.Length + count > bytesMax)
                return null;
            read.Write(buffer, 0, count);
        }
        return read.ToArray();
    }

    private sealed class Service(HttpBus bus, string node, Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) : IDisposable
    {
        public string Node => node;
        public Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> Answer => answer;

        // An earlier life that ends late must not silence the one that has replaced it.
        public void Dispose() => Interlocked.CompareExchange(ref bus._service, null, this);
    }
}
