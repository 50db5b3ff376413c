using System.Globalization;
using System.Net.Http.Headers;

namespace Astra.Sdk;

/// <summary>The models of a server over HTTP, for whoever the key belongs to. What is asked in the name of an attempt is paid by its
/// goal, and only while the attempt runs; what is asked in the name of an agent counts for the agent's budget.</summary>
internal sealed class HttpModelEndpoint(ServerRequests requests, TaskAttempt? attempt = null, string? agent = null) : IModelEndpoint
{
    public Uri? Address => requests.Address;

    public async ValueTask<ModelResponse> PostAsync(ModelOperation operation, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var path = operation == ModelOperation.Embeddings ? "/v1/embeddings" : "/v1/chat/completions";
        var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var response = await requests.AskAsync(HttpMethod.Post, path, content, cancellationToken, headers =>
        {
            if (agent is not null)
                headers.Add("x-astra-agent", agent);
            if (attempt is { } held)
            {
                headers.Add("x-astra-task", held.TaskId.ToString());
                headers.Add("x-astra-attempt", held.Attempt.ToString(CultureInfo.InvariantCulture));
            }
        });
        try
        {
            return new ModelResponse(
                (int)response.StatusCode, name => response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null,
                await response.Content.ReadAsStreamAsync(cancellationToken), () =>
                {
                    response.Dispose();
                    return ValueTask.CompletedTask;
                });
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
