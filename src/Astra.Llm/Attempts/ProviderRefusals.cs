using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Astra.Llm.Routing;

namespace Astra.Llm.Attempts;

/// <summary>What a provider says instead of an answer, and what its connection does, as faults.</summary>
internal static class ProviderRefusals
{
    private const int BodyBytesMax = 64 << 10;
    private const int MessageLengthMax = 500;

    public static async ValueTask<Fault> ReadAsync(HttpResponseMessage response, string provider, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var kind = Fault.KindOf(status);
        var body = new byte[BodyBytesMax];
        var length = 0;
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        while (length < body.Length && await stream.ReadAsync(body.AsMemory(length), cancellationToken) is var count and > 0)
            length += count;
        var own = body.AsMemory(0, length);
        var message = MessageOf(own.Span);
        // A provider repeats what it did not understand; that belongs to the client whose request it is, and to nobody else.
        var sentence = kind == FaultKind.Request ? message ?? $"{provider} refused the request with {status}."
            : kind == FaultKind.Key ? $"{provider} refused its key with {status}."
            : kind == FaultKind.Throttled ? $"{provider} asked for a rest with {status}."
            : $"{provider} answered {status}.";
        return new Fault(kind, sentence, status, kind == FaultKind.Request && message is not null ? own : default, RetryAfterOf(response));
    }

    public static Fault Of(Exception exception, string provider, bool isAnswered)
    {
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (inner is AddressForbiddenException)
                return new Fault(FaultKind.Forbidden, inner.Message);
            if (inner is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
                return new Fault(FaultKind.Server, $"{provider} refused the connection.");
        }
        return exception is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError }
            ? new Fault(FaultKind.Server, $"The name of {provider}'s host is not known.")
            : new Fault(FaultKind.Server, isAnswered ? $"{provider} broke the connection in the middle." : $"{provider} could not be reached.", MayHaveCost: isAnswered);
    }

    /// <summary>In seconds, as a date, or in OpenAI's milliseconds, which are the most exact.</summary>
    private static TimeSpan? RetryAfterOf(HttpResponseMessage response)
    {
        if (response.Headers.TryGetValues("retry-after-ms", out var values)
            && double.TryParse(values.First(), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds) && milliseconds is >= 0 and < 1e9)
            return TimeSpan.FromMilliseconds(milliseconds);
        return response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - (response.Headers.Date ?? TimeProvider.System.GetUtcNow()),
            _ => null,
        };
    }

    private static string? MessageOf(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            using var document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("error", out var error))
                return null;
            var message = error.ValueKind == JsonValueKind.String ? error.GetString()
                : error.ValueKind == JsonValueKind.Object && error.TryGetProperty("message", out var inner) && inner.ValueKind == JsonValueKind.String ? inner.GetString()
                : null;
            return message is { Length: > MessageLengthMax } ? message[..MessageLengthMax] + "…" : message;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
