using System.Globalization;
using System.Text.Json;
using System.Net.Sockets;

namespace Astra.Sdk;

/// <summary>What comes back from an endpoint: whole answers, and refusals as exceptions.</summary>
internal static class ModelAnswers
{
    /// <exception cref="AstraException">It was refused, it is none, or it broke off.</exception>
    public static async Task<JsonElement> AskAsync(IModelEndpoint endpoint, ModelOperation operation, byte[] body, CancellationToken cancellationToken)
    {
        await using var response = await endpoint.PostAsync(operation, body, cancellationToken);
        if (response.Status != 200)
            throw await RefusalOfAsync(endpoint, response, cancellationToken);
        try
        {
            var answer = AstraJson.Parse(await ReadAsync(endpoint, response, cancellationToken));
            return answer.ValueKind == JsonValueKind.Object ? ThrowIfError(answer) : throw new JsonException("It is no object.");
        }
        catch (JsonException e)
        {
            throw Unreadable(endpoint, e);
        }
    }

    public static async Task<AstraException> RefusalOfAsync(IModelEndpoint endpoint, ModelResponse response, CancellationToken cancellationToken)
    {
        var bytes = await ReadAsync(endpoint, response, cancellationToken);
        var (sentence, type, code) = ((string?)null, (string?)null, (string?)null);
        try
        {
            if (AstraJson.Parse(bytes).Member("error") is { } error)
                (sentence, type, code) = (error.Text("message"), error.Text("type"), error.Text("code"));
        }
        catch (JsonException)
        {
            // Somebody else's page; the status says as much as there is to say.
        }
        var isPassing = response.Header("x-should-retry") is { } should ? should == "true" : response.Status is 408 or 429 or >= 500;
        return new ModelRefusedException(
            response.Status, code ?? type, sentence ?? $"{Name(endpoint)} answered {response.Status}, and not as an Astra server does.", WaitOf(response), isPassing);
    }

    /// <summary>An answer, or the error that came in its place or in its middle.</summary>
    public static JsonElement ThrowIfError(JsonElement answer)
    {
        if (answer.Member("error") is not { } error)
            return answer;
        var type = error.Text("type");
        throw new ModelRefusedException(
            502, error.Text("code") ?? type, error.Text("message") ?? (error.ValueKind == JsonValueKind.String ? error.GetString()! : "The model failed and gave no reason."),
            retryAfter: null, isPassing: type is not ("insufficient_quota" or "invalid_request_error"));
    }

    public static AstraException Unreadable(IModelEndpoint endpoint, Exception e) =>
        new(200, "Unreadable answer", $"{Name(endpoint)} answered something that is no answer of a model: {FailureCause.Sentence(e)}");

    public static AstraException BrokeOff(IModelEndpoint endpoint, string why) => new(0, "No answer", $"The answer of {Name(endpoint)} broke off: {why}");

    public static bool IsBreak(Exception e) => e is HttpRequestException or IOException or SocketException;

    private static async Task<byte[]> ReadAsync(IModelEndpoint endpoint, ModelResponse response, CancellationToken cancellationToken)
    {
        try
        {
            using var whole = new MemoryStream();
            await response.Body.CopyToAsync(whole, cancellationToken);
            return whole.ToArray();
        }
        catch (Exception e) when (IsBreak(e))
        {
            throw BrokeOff(endpoint, FailureCause.Sentence(e));
        }
    }

    private static TimeSpan? WaitOf(ModelResponse response) =>
        double.TryParse(response.Header("retry-after-ms"), CultureInfo.InvariantCulture, out var wait) && wait is >= 0 and < 1e9 ? TimeSpan.FromMilliseconds(wait)
        : double.TryParse(response.Header("retry-after"), CultureInfo.InvariantCulture, out wait) && wait is >= 0 and < 1e6 ? TimeSpan.FromSeconds(wait)
        : null;

    private static string Name(IModelEndpoint endpoint) => endpoint.Address?.ToString() ?? "The router";
}
