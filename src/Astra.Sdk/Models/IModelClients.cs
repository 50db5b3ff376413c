using Microsoft.Extensions.AI;

namespace Astra.Sdk;

/// <summary>The models of a server, as .NET's own abstractions. The clients are light: make them where they are used.</summary>
public interface IModelClients
{
    /// <param name="model">A model, a tier or a route of the server; `auto` chooses by the kind of the task.</param>
    IChatClient Chat(string model = "auto");

    IEmbeddingGenerator<string, Embedding<float>> Embeddings(string model);
}

/// <summary>Clients that ask one endpoint.</summary>
public sealed class ModelClients(IModelEndpoint endpoint) : IModelClients
{
    public IChatClient Chat(string model = "auto") => new ServerChatClient(endpoint, model);

    public IEmbeddingGenerator<string, Embedding<float>> Embeddings(string model) => new ServerEmbeddingGenerator(endpoint, model);
}
