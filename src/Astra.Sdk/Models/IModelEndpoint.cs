namespace Astra.Sdk;

/// <summary>What an endpoint is asked for, in OpenAI's words.</summary>
public enum ModelOperation { Chat, Embeddings }

/// <summary>
/// The way to the router of a server, for one payer: over HTTP with the caller's key, or within the server's own process. Who
/// pays, and whether there is still anything to pay with, is decided behind it at every call.
/// </summary>
public interface IModelEndpoint
{
    Uri? Address { get; }

    /// <returns>When the answer begins, refusals included. Whoever asks disposes of it; that ends an answer that still arrives.</returns>
    /// <exception cref="AstraException">There is no answer.</exception>
    ValueTask<ModelResponse> PostAsync(ModelOperation operation, ReadOnlyMemory<byte> body, CancellationToken cancellationToken);
}

/// <summary>For a host that offers none.</summary>
internal sealed class NoModels : IModelEndpoint
{
    public static readonly NoModels Instance = new();

    public Uri? Address => null;

    public ValueTask<ModelResponse> PostAsync(ModelOperation operation, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        throw new ModelRefusedException(404, "model_not_found", "There are no models here.", retryAfter: null, isPassing: false);
}

/// <summary>The head of an answer, and its body as it arrives.</summary>
public sealed class ModelResponse(int status, Func<string, string?> header, Stream body, Func<ValueTask> end) : IAsyncDisposable
{
    public int Status => status;
    public Stream Body => body;

    public string? Header(string name) => header(name);

    public async ValueTask DisposeAsync()
    {
        await body.DisposeAsync();
        await end();
    }
}
